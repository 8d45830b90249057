'use strict'

const assert = require('node:assert/strict')
const { describe, it } = require('node:test')

const Cli = require('../support/cli')

describe('hyco-rs demo', { timeout: 600_000 }, () => {
  it('relays messages without any configuration, and ends by itself', async () => {
    const { code, stdout, stderr } = await Cli.run(['demo'])
    assert.equal(stderr, '')
    assert.equal(code, 0)
    for (const line of [
      /^relay {5}listens on ws:\/\/127\.0\.0\.1:\d+$/m,
      /^listener {2}accepted \/demo from 127\.0\.0\.1$/m,
      /^sender {4}got back "hello through the relay" after [\d.]+ ms$/m,
      /^sender {4}got back 1 MiB after /m,
      /^sender {4}saw the listener close with 1000$/m,
    ]) {
      assert.match(stdout, line)
    }
  })

  it('writes JSON for programs', async () => {
    const { code, stdout } = await Cli.run(['demo', '--json'])
    assert.equal(code, 0)
    const events = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    const messages = events.filter(({ event }) => event === 'message')
    assert.deepEqual(
      messages.map(({ bytes }) => bytes),
      [23, 16, 1024 * 1024],
    )
  })

  it('does not ask a proxy of the environment', async () => {
    const env = { HTTPS_PROXY: 'http://127.0.0.1:1', ALL_PROXY: 'http://127.0.0.1:1' }
    assert.equal((await Cli.run(['demo'], { env })).code, 0)
  })
})
