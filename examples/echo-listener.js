'use strict'

// Run: node examples/echo-listener.js, then node examples/echo-sender.js in another terminal.
// It starts a local relay where senders need no token. Ctrl+C ends it.

const hyco = require('hyco-rs')

async function main() {
  const relay = await hyco.startRelayEmulator({
    port: Number(process.env.PORT ?? 9400),
    hybridConnections: [{ path: 'echo', requiresClientAuthorization: false }],
  })
  const server = new hyco.RelayedServer({
    server: hyco.createRelayListenUri(relay.namespace, 'echo'),
    token: () => hyco.createRelayToken(relay.namespace, relay.keyName, relay.key),
  })
  server.on('listening', () => console.log(`listening at ${server.listenUri}`))
  server.on('connection', (socket, request) => {
    console.log(`connected: ${request.url} (${request.trackingId})`)
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
    socket.on('close', (code) => console.log(`closed: ${code} (${request.trackingId})`))
  })
  server.on('error', (error) => console.error(`${error.code}: ${error.message}`))
  process.once('SIGINT', () => server.close(() => relay.close()))
}

main()
