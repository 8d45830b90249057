'use strict'

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const { join } = require('node:path')
const { it } = require('node:test')

require('./support/environment')

const TIMEOUT = { timeout: 300_000 }
const suite = join(__dirname, 'smoke', 'checks.mjs')

it('what every runtime has to do works in this one', TIMEOUT, () => {
  const { stdout, stderr } = spawnSync(process.execPath, [suite], { encoding: 'utf8' })
  const lines = stdout.trim().split('\n')
  assert.ok(lines.length >= 7, stderr)
  for (const line of lines) assert.equal(JSON.parse(line).outcome, 'ok', line)
})
