'use strict'

const assert = require('node:assert/strict')
const { join } = require('node:path')
const { describe, it } = require('node:test')

const Program = require('./support/children')
const TestRelay = require('./support/relay')

const TIMEOUT = { timeout: 300_000 }

const SCRIPT = join(__dirname, '..', 'scripts', 'azure.mjs')

describe('npm run test:azure', TIMEOUT, () => {
  it('says that it did nothing, and ends well, without a connection string', async () => {
    const program = new Program(SCRIPT, { env: { HYCO_CONNECTION_STRING: '' } })
    assert.deepEqual(await program.exited, { code: 0, signal: null })
    assert.match(program.output, /SKIPPED, there is no HYCO_CONNECTION_STRING/)
  })

  it('passes with the local relay, and has an answer to each question', async () => {
    const relay = await TestRelay.start({ hybridConnections: ['hyco'], acceptTimeout: 5000 })
    const { connectionString, key } = relay.emulator
    const env = { HYCO_CONNECTION_STRING: `${connectionString};EntityPath=hyco` }
    const program = new Program(SCRIPT, { env })
    try {
      const { code } = await program.exited
      assert.equal(code, 0, program.output)
      assert.ok(program.output.match(/^azure: .*: ok$/gm).length >= 9, program.output)
      const answers = program.output.split('7.2:\n')[1]
      assert.ok(answers.match(/^\d+\. /gm).length >= 15)
      assert.doesNotMatch(answers, /no answer|undefined/)
      assert.match(answers, /^3\. .*\n {3}504 .* after \d+ s$/m)
      assert.match(answers, /^5\. .*\n {3}403 /m)
      assert.ok(!program.output.includes(key) && !program.output.includes('SharedAccessSignature'))
    } finally {
      await program.end()
      await relay.close()
    }
  })

  it('fails where something does not work', async () => {
    const relay = await TestRelay.start({
      rules: [{ keyName: 'sender', key: 'a key of the sender', rights: ['Send'] }],
      acceptTimeout: 500,
    })
    const env = { HYCO_CONNECTION_STRING: `${relay.emulator.connectionString};EntityPath=hyco` }
    const program = new Program(SCRIPT, { env })
    try {
      assert.equal((await program.exited).code, 1, program.output)
      assert.match(program.output, /^azure: echo.*: FAILED, HYCO_ERR_UNAUTHORIZED: /m)
    } finally {
      await program.end()
      await relay.close()
    }
  })
})
