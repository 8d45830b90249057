'use strict'

// A TCP port through the relay. On the machine with the server, and then on yours:
//   HYCO_CONNECTION_STRING='…' node examples/port-forwarding.js listen 22
//   HYCO_CONNECTION_STRING='…' node examples/port-forwarding.js forward 2222
// 'npx hyco-rs listen --to' and 'npx hyco-rs forward' do it with half-open connections too.

const net = require('node:net')
const { pipeline } = require('node:stream')
const hyco = require('hyco-rs')

/** Joins a WebSocket and a TCP connection until one of them ends. */
function join(socket, tcp) {
  const stream = hyco.createWebSocketStream(socket)
  pipeline(stream, tcp, stream, (error) => {
    if (error) console.error(error.message)
  })
}

const { HYCO_CONNECTION_STRING: connectionString } = process.env
const [side, port] = process.argv.slice(2)

if (side === 'listen') {
  const server = hyco.createRelayedServer({ connectionString }, (socket) =>
    join(socket, net.connect(Number(port), '127.0.0.1')),
  )
  server.on('listening', () => console.log(`${server.path} leads to port ${port}`))
  server.on('error', (error) => console.error(error.message))
} else {
  const server = net.createServer((tcp) =>
    join(hyco.relayedConnect(null, null, { connectionString }), tcp),
  )
  server.listen(Number(port), '127.0.0.1', () =>
    console.log(`port ${server.address().port} leads to the relay`),
  )
}
