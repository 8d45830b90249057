'use strict'

// Run: HYCO_CONNECTION_STRING='…' node examples/cluster.js [WORKERS]
// Several processes listen on one hybrid connection; the relay chooses one for each sender. A
// hybrid connection takes up to 25 listeners, on one machine or on many.

const cluster = require('node:cluster')
const os = require('node:os')
const hyco = require('hyco-rs')

if (cluster.isPrimary) {
  const workers = Number(process.argv[2] ?? os.availableParallelism())
  for (let i = 0; i < workers; i++) cluster.fork()
  cluster.on('exit', (worker, code) => {
    // Whoever was ended on purpose has said so.
    if (worker.exitedAfterDisconnect || code === 0) return
    console.error(`worker ${worker.id} ended with ${code}; another one takes its place`)
    cluster.fork()
  })
  process.on('SIGINT', () => {
    for (const worker of Object.values(cluster.workers)) worker.send('close')
  })
} else {
  const { HYCO_CONNECTION_STRING: connectionString } = process.env
  const server = hyco.createRelayedServer({ connectionString }, (socket) => {
    socket.on('message', (data) => socket.send(`worker ${cluster.worker.id}: ${data}`))
    socket.on('error', (error) => console.error(error.message))
  })
  server.on('listening', () => console.log(`worker ${cluster.worker.id} listens`))
  server.on('error', (error) => console.error(error.message))
  process.on('message', () => server.close(() => process.disconnect()))
  // Ctrl+C reaches every process; the first process decides.
  process.on('SIGINT', () => {})
}
