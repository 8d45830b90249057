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

/** What goes up and down; all others are counts since the start. */
const GAUGES = new Set(['active', 'online', 'pending'])

/** The counts as text, each with its type. */
function prometheus() {
  const values = { ...server.metrics(), online: Number(server.status === 'online') }
  return Object.entries(values)
    .map(([name, value]) => {
      const isGauge = GAUGES.has(name)
      const metric = isGauge ? `hyco_${name}` : `hyco_${name}_total`
      const type = isGauge ? 'gauge' : 'counter'
      return `# TYPE ${metric} ${type}\n${metric}{path="${server.path}"} ${value}\n`
    })
    .join('')
}

const metrics = http.createServer((request, response) => {
  response.setHeader('Content-Type', 'text/plain; version=0.0.4')
  response.end(prometheus())
})
metrics.listen(PORT, 'localhost', () => {
  console.log(`metrics at http://localhost:${metrics.address().port}/metrics`)
})
