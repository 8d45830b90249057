'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { afterEach, beforeEach, describe, it } = require('node:test')

const hyco = require('..')
const ScriptedRelay = require('./support/scripted-relay')

/** Handshakes that cannot have come over HTTP. */
const BAD = {
  'a line break in a name': { 'a\r\nb': 'c' },
  'a line break in a value': { a: 'c\r\nd: e' },
  'a zero in a value': { a: 'z\0' },
  'an empty name': { '': 'a' },
}

describe('what a relay tells of a sender', { timeout: 300_000 }, () => {
  let relay
  let server
  let connections

  beforeEach(async () => {
    relay = await ScriptedRelay.start()
    server = new hyco.RelayedServer({ server: relay.listenUri, token: 'x' })
    connections = []
    server.on('connection', (socket, request) => connections.push(request))
    await once(server, 'listening')
  })

  afterEach(async () => {
    await server.close()
    await relay.close()
  })

  for (const [what, headers] of Object.entries(BAD)) {
    it(`is refused with 400 and told when it has ${what}`, async () => {
      const failed = once(server, 'requestError')
      const { url } = await relay.announce(headers)
      assert.equal(url.searchParams.get('sb-hc-statusCode'), '400')
      const [error, { trackingId }] = await failed
      assert.equal(error.code, 'HYCO_ERR_BAD_REQUEST')
      assert.equal(trackingId, url.searchParams.get('sb-hc-id'))
      assert.deepEqual(connections, [])
    })
  }

  it('may have tabs and letters of any language in values', async () => {
    const { socket } = await relay.announce({ a: 'b\tc', d: 'é', e: '日' })
    const [request] = await arrival()
    assert.equal(request.headers.a, 'b\tc')
    socket.terminate()
  })

  for (const port of [1e300, -1, 65_536, '4711', null, {}]) {
    it(`has no port when that is ${JSON.stringify(port)}`, async () => {
      const { socket } = await relay.announce({}, { address: '127.0.0.1', port })
      const [request] = await arrival()
      assert.equal(request.socket.remotePort, undefined)
      assert.equal(request.socket.remoteAddress, '127.0.0.1')
      socket.terminate()
    })
  }

  /** The senders that were met, when there is one. */
  async function arrival() {
    while (connections.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    return connections
  }
})
