'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')

const Outgoing = require('../lib/socket/outgoing')

const TIMEOUT = { timeout: 60_000 }

test('what was written is told to be, also behind a callback that threw', TIMEOUT, () => {
  const core = { link: { guard: (fn, ...args) => fn(...args) } }
  const outgoing = new Outgoing(core)
  const told = []
  outgoing.expect(() => {
    throw new Error('thrown by a callback')
  })
  for (const name of ['second', 'third']) {
    outgoing.expect((error) => told.push(`${name} ${error === null ? 'written' : error.code}`))
  }
  assert.throws(() => outgoing.acknowledge(2), { message: 'thrown by a callback' })
  // The connection is gone before the others had their turn.
  outgoing.failUnwritten()
  assert.deepEqual(told, ['second written', 'third ERR_STREAM_DESTROYED'])
})
