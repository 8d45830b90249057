'use strict'

// Run: node examples/echo-sender.js [text], while examples/echo-listener.js runs.

const hyco = require('hyco-rs')

const text = process.argv[2] ?? 'hello'
const port = process.env.PORT ?? 9400
const uri = hyco.createRelaySendUri(`ws://127.0.0.1:${port}`, 'echo')

const socket = hyco.relayedConnect(uri, null, (open) => open.send(text))
socket.on('message', (data) => {
  console.log(`echo: ${data}`)
  socket.close(1000)
})
socket.on('error', (error) => {
  console.error(`${error.code}: ${error.message}`)
  process.exitCode = 1
})
