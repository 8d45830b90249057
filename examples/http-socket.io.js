'use strict'

// Run: HYCO_CONNECTION_STRING='…' node examples/http-socket.io.js
// socket.io behind the relay, by either transport. A client has to choose one, since HTTP requests go to
// https://NAMESPACE/hyco and WebSockets to wss://NAMESPACE/$hc/hyco:
//   io('https://NAMESPACE', { path: '/hyco/socket.io/', transports: ['polling'] })
//   io('wss://NAMESPACE', { path: '/$hc/hyco/socket.io/', transports: ['websocket'] })

const http = require('node:http')
const hyco = require('hyco-rs')
const { Server } = require('socket.io')

const app = http.createServer()
const io = new Server(app, { path: '/hyco/socket.io/' })
io.on('connection', (socket) => {
  socket.on('say', (text, answer) => {
    socket.broadcast.emit('said', text)
    answer(`heard ${text}`)
  })
})

const { HYCO_CONNECTION_STRING: connectionString } = process.env
const server = new hyco.RelayedServer({ connectionString, httpServer: app })
server.on('listening', () => console.log(`listening at ${server.listenUri}`))
server.on('error', (error) => console.error(error.message))
process.once('SIGINT', () => {
  void io.close()
  void server.close()
})
