'use strict'

// Run: HYCO_CONNECTION_STRING='…' node examples/local-and-relayed.js [PORT]
// One program for senders that reach a port of this machine, and for senders through the relay.

const hyco = require('hyco-rs')

/** The application. It need not know by which way a socket came. */
function serve(socket, request) {
  console.log(`connected: ${request.url}`)
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
  socket.on('error', (error) => console.error(error.message))
}

const local = new hyco.Server({ host: '127.0.0.1', port: Number(process.argv[2] ?? 8080) }, () =>
  console.log(`listening at ws://127.0.0.1:${local.address().port}`),
)
local.on('connection', serve)

const { HYCO_CONNECTION_STRING: connectionString } = process.env
const relayed = hyco.createRelayedServer({ connectionString }, serve)
relayed.on('listening', () => console.log(`listening at ${relayed.listenUri}`))
relayed.on('error', (error) => console.error(error.message))

process.once('SIGINT', () => {
  for (const socket of local.clients) socket.close(1001)
  local.close()
  relayed.close()
})
