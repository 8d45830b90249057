'use strict'

// Run: HYCO_CONNECTION_STRING='…' node examples/express.js [PORT]
// An Express application on this machine, and relayed WebSockets, in one process:
//   curl -d 'good morning' -H 'Content-Type: text/plain' http://127.0.0.1:8080/say
// is heard by everybody who runs: npx hyco-rs connect

const express = require('express')
const hyco = require('hyco-rs')

const { HYCO_CONNECTION_STRING: connectionString } = process.env
const relayed = hyco.createRelayedServer({ connectionString }, (socket, request) => {
  socket.on('error', (error) => console.error(error.message))
  socket.send(`welcome to ${request.url}`)
})
relayed.on('listening', () => console.log(`relayed: ${relayed.listenUri}`))
relayed.on('error', (error) => console.error(error.message))

const app = express()
app.get('/listeners', (request, response) => {
  response.json({ status: relayed.status, ...relayed.metrics() })
})
app.post('/say', express.text(), (request, response) => {
  for (const socket of relayed.clients) socket.send(request.body)
  response.json({ heard: relayed.clients.size })
})

const local = app.listen(Number(process.argv[2] ?? 8080), '127.0.0.1', () =>
  console.log(`local: http://127.0.0.1:${local.address().port}`),
)

process.once('SIGINT', () => {
  relayed.close()
  local.close()
})
