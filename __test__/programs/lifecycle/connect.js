'use strict'

// Connects to URI; what keeps it alive is its socket alone.

const hyco = require('hyco-rs')

const socket = hyco.relayedConnect(process.env.URI, process.env.TOKEN)
console.log('connecting')
socket.on('open', () => console.log('open'))
socket.on('message', (data) => {
  console.log(`message ${data}`)
  if (process.env.THROW) throw new Error('thrown by a listener')
  socket.close()
})
socket.on('error', (error) => console.log(`error ${error.code}`))
socket.on('close', (code) => console.log(`close ${code}`))
