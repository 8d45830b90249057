'use strict'

const { once } = require('node:events')
const { after, before } = require('node:test')
const WebSocket = require('ws')

const hyco = require('../..')
const TestRelay = require('./relay')

/**
 * A relay for all tests of a file, where senders need no token and are those of `ws` itself.
 *
 * @return {Object} `serving(options, run)`, `connect(path, protocols, headers)` and `answer(…)`
 */
function anonymousRelay() {
  let relay

  before(async () => {
    relay = await TestRelay.start({
      hybridConnections: [{ path: 'hyco', requiresClientAuthorization: false }],
    })
  })

  after(() => relay.close())

  /** Runs a test with a server that listens. */
  async function serving(options, run) {
    const server = new hyco.RelayedServer({
      server: relay.listenUri('hyco'),
      token: relay.token(),
      ...options,
    })
    await once(server, 'listening')
    try {
      await run(server)
    } finally {
      await server.close()
    }
  }

  /** Connects with ws itself, as any sender might. */
  function connect(path = 'hyco', protocols = [], headers = {}) {
    const socket = new WebSocket(relay.sendUri(path), protocols, { headers })
    socket.on('error', () => {})
    return socket
  }

  /** What a sender is answered: 101 with the subprotocol, or a status with its reason. */
  function answer(...args) {
    const socket = connect(...args)
    return new Promise((resolve) => {
      socket.once('unexpected-response', (request, response) => {
        resolve({ status: response.statusCode, reason: response.statusMessage })
        request.destroy()
      })
      socket.once('open', () => {
        resolve({ status: 101, protocol: socket.protocol })
        socket.close()
      })
    })
  }

  return {
    answer,
    connect,
    serving,
    /** The relay, once the tests run. */
    get relay() {
      return relay
    },
  }
}

module.exports = anonymousRelay
