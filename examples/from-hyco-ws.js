'use strict'

// Run: SB_HC_NAMESPACE=… SB_HC_PATH=… SB_HC_KEYRULE=… SB_HC_KEY=… node examples/from-hyco-ws.js
// A listener written for hyco-ws, with the variables of its samples. Only this line has changed:

const WebSocket = require('hyco-rs') // was: require('hyco-ws')

const ns = process.env.SB_HC_NAMESPACE
const path = process.env.SB_HC_PATH
const keyrule = process.env.SB_HC_KEYRULE
const key = process.env.SB_HC_KEY

const wss = WebSocket.createRelayedServer(
  {
    server: WebSocket.createRelayListenUri(ns, path),
    token: () => WebSocket.createRelayToken('http://' + ns, keyrule, key),
  },
  (ws) => {
    console.log('connection accepted')
    ws.onmessage = (event) => {
      console.log(JSON.parse(event.data))
    }
    ws.on('close', () => {
      console.log('connection closed')
    })
  },
)

wss.on('listening', () => console.log('listening'))
wss.on('error', (err) => {
  console.log('error: ' + err.message)
})
