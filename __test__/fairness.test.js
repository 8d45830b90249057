'use strict'

// A listener that is slower than what comes: reading stops and goes on all the time.

const assert = require('node:assert/strict')
const { afterEach, describe, it } = require('node:test')
const Program = require('./support/children')

const TIMEOUT = { timeout: 60_000 }

describe('sockets that are flooded while their listeners are slow', TIMEOUT, () => {
  let program

  afterEach(() => program.end())

  for (const homes of ['rule', 'thread', 'loop', 'roam']) {
    it(`all have their turn, with homes by ${homes}`, TIMEOUT, async () => {
      program = new Program('floods', { env: { HYCO_RS_HOMES: homes } })
      assert.deepEqual(await program.exited, { code: 0, signal: null }, program.output)
    })
  }
})
