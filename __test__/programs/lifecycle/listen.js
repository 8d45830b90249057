'use strict'

// Listens at the relay of URI until it is told to close; then it must end by itself.

const hyco = require('hyco-rs')

const server = hyco.createRelayedServer(
  {
    server: process.env.URI,
    token: process.env.TOKEN,
    keepAliveInterval: Number(process.env.KEEP_ALIVE ?? 30_000),
  },
  (socket) => socket.on('message', (data) => socket.send(data)),
)
server.on('listening', () => console.log('listening'))
server.on('close', () => console.log('closed'))
if (process.env.UNREF) server.unref()
process.stdin.once('data', () => {
  console.log('closing')
  process.stdin.destroy()
  server.close()
})
if (process.env.UNREF) process.stdin.destroy()
