'use strict'

// The listener of the soak test: sends every message back as it came, and pauses now and then.

const { RelayedServer } = require(require('../peers/hyco-rs').root)

const { ca, relays } = JSON.parse(process.argv[2])

const servers = relays.map(({ listenUrl, token }) => {
  const server = new RelayedServer({ server: listenUrl, token, tls: { ca } })
  server.on('connection', (socket) => {
    socket.on('message', (data, binary) => {
      socket.send(data, { binary })
      if (Math.random() < 0.001) rest(socket)
    })
    socket.on('error', (error) => console.error(`listener: ${error.message}`))
  })
  server.on('error', (error) => console.error(`listener: ${error.message}`))
  return server
})

function rest(socket) {
  socket.pause()
  setTimeout(() => socket.resume(), Math.random() * 200)
}

const listening = servers.map((server) => new Promise((done) => server.once('listening', done)))
Promise.all(listening).then(() => process.send({ type: 'ready' }))
process.on('message', ({ type }) => {
  if (type !== 'stop') return
  for (const server of servers) server.close()
  process.disconnect()
})
