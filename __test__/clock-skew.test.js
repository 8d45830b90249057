'use strict'

const assert = require('node:assert/strict')
const { createHmac } = require('node:crypto')
const { once } = require('node:events')
const { describe, it } = require('node:test')

const hyco = require('..')
const TestRelay = require('./support/relay')
const { failed } = require('./support/watch')

/** A token of the relay's rule that has ended so many seconds ago. */
function endedToken(relay, seconds) {
  const [, good] = relay.token().split(' ')
  const sr = encodeURIComponent(new URLSearchParams(good).get('sr'))
  const se = Math.floor(Date.now() / 1000) - seconds
  const sig = createHmac('sha256', relay.emulator.key).update(`${sr}\n${se}`).digest('base64')
  const parts = { sr, sig: encodeURIComponent(sig), se, skn: relay.emulator.keyName }
  const text = Object.entries(parts).map(([name, value]) => `${name}=${value}`)
  return `SharedAccessSignature ${text.join('&')}`
}

describe('clockSkewSeconds of the local relay', { timeout: 300_000 }, () => {
  it('is how long after its end a token still opens a connection; 0 by default', async () => {
    for (const [options, good, bad] of [
      [{}, -60, 60],
      [{ clockSkewSeconds: 600 }, 300, 900],
    ]) {
      const relay = await TestRelay.start({ hybridConnections: ['hyco'], ...options })
      const server = new hyco.RelayedServer({
        server: relay.listenUri('hyco'),
        token: relay.token(),
      })
      await once(server, 'listening')
      const refused = await failed(
        hyco.relayedConnect(relay.sendUri('hyco'), endedToken(relay, bad)),
      )
      assert.equal(refused.error.code, 'HYCO_ERR_UNAUTHORIZED')
      assert.match(refused.error.message, /ExpiredToken/)
      const sender = hyco.relayedConnect(relay.sendUri('hyco'), endedToken(relay, good))
      await once(sender, 'open')
      sender.terminate()
      await server.close()
      await relay.close()
    }
  })
})
