'use strict'

// Run: HYCO_CONNECTION_STRING='…' node examples/http-events.js
// Server-sent events: each one leaves at once, and the timer ends when the reader leaves.

const hyco = require('hyco-rs')

const { HYCO_CONNECTION_STRING: connectionString } = process.env
const server = new hyco.RelayedServer({ connectionString })
server.on('request', (request, response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
  let number = 0
  const timer = setInterval(() => response.write(`id: ${++number}\ndata: ${Date.now()}\n\n`), 100)
  response.on('close', () => {
    clearInterval(timer)
    console.log(`a reader left after ${number} events`)
  })
})
server.on('listening', () => console.log(`listening at ${server.listenUri}`))
server.on('error', (error) => console.error(error.message))
process.once('SIGINT', () => server.close())
