'use strict'

// Run: HYCO_CONNECTION_STRING='…' node examples/drain.js
// A container is ended with SIGTERM, and killed some seconds later (Kubernetes: 30, Docker: 10).
// Until then this program accepts nobody new and lets those finish who are connected.

const hyco = require('hyco-rs')

/** Milliseconds for those who are connected: less than the container has. */
const PATIENCE = 8000

const { HYCO_CONNECTION_STRING: connectionString } = process.env
const server = hyco.createRelayedServer({ connectionString }, (socket) => {
  socket.on('error', (error) => console.error(error.message))
  socket.on('message', async (data) => {
    await new Promise((resolve) => setTimeout(resolve, 100)) // work
    socket.send(`done: ${data}`)
  })
})
server.on('listening', () => console.log('ready'))
server.on('error', (error) => console.error(error.message))

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, async () => {
    console.log(`draining: ${server.clients.size} connected`)
    const finished = await server.drain({ timeout: PATIENCE })
    console.log(finished ? 'all have finished' : 'some were cut off')
  })
}
