'use strict'

// Run: HYCO_CONNECTION_STRING='…' node examples/http-forward.js TARGET
// Passes HTTP requests and WebSockets on to a server: a port of this machine, or http(s)://host:port.

const hyco = require('hyco-rs')

const { HYCO_CONNECTION_STRING: connectionString } = process.env
const server = new hyco.RelayedServer({ connectionString })
server.forward(process.argv[2] ?? 8080)
server.on('listening', () => console.log(`listening at ${server.listenUri}`))
server.on('forwarded', ({ method, url, statusCode, duration }) => {
  console.log(`${method} ${url} ${statusCode} ${duration.toFixed(1)} ms`)
})
server.on('error', (error) => console.error(error.message))
server.on('requestError', (error, { remoteAddress }) => {
  console.error(`${remoteAddress}: ${error.message}`)
})
process.once('SIGINT', () => server.drain({ timeout: 5_000 }))
