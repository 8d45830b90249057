'use strict'

// Sockets that are flooded, with a listener that is slower than what comes. Ends when each has had
// three messages. The peers are of ws, in a thread of their own.

const { Worker, isMainThread, parentPort } = require('node:worker_threads')

const SOCKETS = 8
/** Four fill the queue of the I/O thread. */
const MESSAGE = 512 * 1024
const LISTENER = 5

if (isMainThread) {
  const { relayedConnect } = require('../..')
  const peers = new Worker(__filename)
  peers.once('message', (port) => {
    const counts = Array(SOCKETS).fill(0)
    for (const index of counts.keys()) {
      const socket = relayedConnect(`ws://127.0.0.1:${port}/`, null)
      socket.on('message', () => {
        counts[index]++
        const end = performance.now() + LISTENER
        while (performance.now() < end);
        if (counts.every((count) => count >= 3)) process.exit()
      })
    }
  })
} else {
  const { WebSocketServer } = require('ws')
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 }, () => {
    parentPort.postMessage(server.address().port)
  })
  server.on('connection', (socket) => {
    const message = Buffer.alloc(MESSAGE)
    const next = () => socket.send(message, next)
    for (let ahead = 0; ahead < 4; ahead++) next()
  })
}
