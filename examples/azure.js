'use strict'

// Run with a hybrid connection of your own:
//   HYCO_CONNECTION_STRING='Endpoint=sb://…;SharedAccessKeyName=…;SharedAccessKey=…;EntityPath=…' \
//   node examples/azure.js
// It listens and sends to itself through Azure. Nothing else differs from the local relay.

const hyco = require('hyco-rs')

const connectionString = process.env.HYCO_CONNECTION_STRING
if (!connectionString) {
  console.log('Set HYCO_CONNECTION_STRING; the head of this file shows how.')
  process.exit()
}

const server = hyco.createRelayedServer({ connectionString }, (socket) => {
  socket.on('message', (data) => socket.send(`you said: ${data}`))
})
server.on('offline', ({ error, delay }) => console.error(`${error.message}; again in ${delay} ms`))
server.once('listening', () => {
  const sender = hyco.relayedConnect(null, null, { connectionString })
  sender.on('open', () => sender.send('hello, cloud'))
  sender.on('error', (error) => console.error(`${error.code}: ${error.message}`))
  sender.on('message', (data) => {
    console.log(String(data))
    server.close()
  })
})
