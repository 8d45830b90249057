'use strict'

const { once } = require('node:events')

/**
 * What is put to the test: this package, or plain `ws` to see whether the set-up is sound
 * (`AUTOBAHN_SUBJECT=ws`).
 */
const name = process.env.AUTOBAHN_SUBJECT ?? 'hyco-rs'

const PATH = 'echo'

/** Cases of 9.3 and 9.4 send 65,536 fragments, four times what ws allows by default. */
const OPTIONS = { maxFragments: 0, perMessageDeflate: false }

const subjects = {
  'hyco-rs': {
    connect(address) {
      return require('../..').relayedConnect(address, null, OPTIONS)
    },
    async listen(onSocket) {
      const hyco = require('../..')
      const relay = await hyco.startRelayEmulator({ hybridConnections: [PATH] })
      const { namespace, keyName, key } = relay
      const server = new hyco.RelayedServer({
        ...OPTIONS,
        server: hyco.createRelayListenUri(namespace, PATH),
        keyName,
        key,
      })
      server.on('connection', onSocket)
      await once(server, 'listening')
      return {
        address: hyco.appendRelayToken(hyco.createRelaySendUri(namespace, PATH), keyName, key),
        async close() {
          await new Promise((resolve) => server.close(resolve))
          await relay.close()
        },
      }
    },
  },
  ws: {
    connect(address) {
      return new (require('ws'))(address, OPTIONS)
    },
    async listen(onSocket) {
      const server = new (require('ws').WebSocketServer)({ ...OPTIONS, host: '127.0.0.1', port: 0 })
      server.on('connection', onSocket)
      await once(server, 'listening')
      return {
        address: `ws://127.0.0.1:${server.address().port}/`,
        close: () => new Promise((resolve) => server.close(resolve)),
      }
    },
  },
}

/** The name that stands in the reports. */
exports.name = name

/**
 * Opens a client socket.
 *
 * @param {String} address Where to
 * @return {WebSocket}
 */
exports.connect = subjects[name].connect

/**
 * Listens for sockets.
 *
 * @param {Function} onSocket Called with each
 * @return {Promise<{ address: String, close: Function }>} Where a client finds the listener
 */
exports.listen = subjects[name].listen
