'use strict'

// One of several listeners, in a worker thread or in a process of a cluster. It answers with its name.

const { parentPort, workerData } = require('node:worker_threads')
const hyco = require('../..')

const { name, connectionString } = workerData ?? process.env

const tell = (message) => (parentPort ? parentPort.postMessage(message) : process.send(message))

const server = hyco.createRelayedServer({ connectionString, path: 'hyco' }, (socket) => {
  socket.send(name)
})
server.on('listening', () => tell('listening'))

/** Ends when it is told to. */
const end = async () => {
  await server.close()
  if (parentPort) parentPort.close()
  else process.disconnect()
}

if (parentPort) parentPort.once('message', end)
else process.once('message', end)
