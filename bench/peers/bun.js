'use strict'

// Bun's own client, its global `WebSocket`. It has no callback and no event that tells when a
// socket can take more, so it is asked once a turn of the event loop.

const fs = require('node:fs')
const path = require('node:path')

const program = path.join(__dirname, '../node_modules/@oven/bun-linux-x64/bin/bun')
const LOW = 64 * 1024

module.exports = {
  title: 'Bun',
  program,
  packages: ['@oven/bun-linux-x64'],
  available: () => fs.existsSync(program),

  connect(url, ca) {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url, { tls: { ca } })
      socket.binaryType = 'nodebuffer'
      socket.onopen = () => resolve(socket)
      socket.onerror = (event) => reject(event.error ?? new Error(event.message))
    })
  },

  receive(socket, listener) {
    socket.onmessage = (event) => listener(event.data)
  },

  sendAndDrain(socket, data, resume) {
    socket.send(data)
    const look = () => (socket.bufferedAmount <= LOW ? resume() : setImmediate(look))
    setImmediate(look)
  },
}
