'use strict'

// Run: HYCO_CONNECTION_STRING='…' node examples/metrics.js
// Shows the counts of a listener to Prometheus, at http://localhost:9464/metrics.

const http = require('node:http')
const hyco = require('hyco-rs')

const { HYCO_CONNECTION_STRING: connectionString, PORT = 9464 } = process.env

const server = hyco.createRelayedServer({ connectionString }, (socket) => {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
})
server.on('error', (error) => console.error(error.message))

const metrics = http.createServer((request, response) => {
  response.setHeader('Content-Type', 'text/plain; version=0.0.4')
  // Of several servers: server.metrics().prometheus(other.metrics())
  response.end(server.metrics().prometheus())
})
metrics.listen(PORT, 'localhost', () => {
  console.log(`metrics at http://localhost:${metrics.address().port}/metrics`)
})
