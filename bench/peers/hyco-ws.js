'use strict'

// hyco-ws 1.0.5 as published. It cannot be installed by its name (a dependency of it has no version
// that fits), so it is unpacked in a temporary folder with the two dependencies that it uses.

const path = require('node:path')
const fetched = require('../../__test__/support/registry')

const install = () =>
  path.join(fetched(['ws@1.1.5', 'moment@2.30.1'], { unpacked: 'hyco-ws@1.0.5' }), 'hyco-ws')

module.exports = {
  title: 'hyco-ws 1.0.5',

  available() {
    try {
      install()
      return true
    } catch (error) {
      console.error(`hyco-ws is left out: ${error.message.split('\n')[0]}`)
      return false
    }
  },

  // The certificate of the other end reaches hyco-ws through NODE_EXTRA_CA_CERTS.
  listen(url, { token }, opened) {
    const { RelayedServer } = require(install())
    const server = new RelayedServer({ server: url, token })
    server.on('connection', (socket) => {
      socket.on('open', () => opened(socket))
    })
    return new Promise((resolve, reject) => {
      server.once('listening', () => resolve(server))
      server.once('error', (event) => reject(event.error ?? new Error(event.message)))
    })
  },

  receive(socket, listener) {
    socket.on('message', listener)
  },

  sendAndDrain(socket, data, resume) {
    socket.send(data, resume)
  },
}
