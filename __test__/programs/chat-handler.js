'use strict'

const { WebSocket } = require('ws')

/** Often, and seldom enough for a machine that stands still for a moment. */
const HEARTBEAT = 1_500

// A chat room, written for a `WebSocketServer` of `ws` and for nothing else: it knows the server by
// its 'connection' event and its `clients`, and sockets by what the documentation of `ws` says.

/**
 * @param {WebSocketServer} wss
 */
function chat(wss) {
  const names = new Map()

  const broadcast = (message, except) => {
    wss.clients.forEach((client) => {
      if (client !== except && client.readyState === WebSocket.OPEN) client.send(message)
    })
  }

  wss.on('connection', (ws, request) => {
    const name = new URL(request.url, 'ws://localhost').searchParams.get('name')
    names.set(ws, name)
    ws.isAlive = true
    ws.on('error', console.error)
    ws.on('pong', () => {
      ws.isAlive = true
    })
    ws.send(JSON.stringify({ welcome: name, people: [...names.values()].sort() }))
    broadcast(JSON.stringify({ joined: name }), ws)

    ws.on('message', (data, isBinary) => {
      if (isBinary) {
        broadcast(data)
        return
      }
      const text = data.toString()
      if (text === '/quit') ws.close(1000, `bye ${name}`)
      else broadcast(JSON.stringify({ from: name, text }))
    })

    ws.on('close', (code, reason) => {
      names.delete(ws)
      broadcast(JSON.stringify({ left: name, code, reason: reason.toString() }))
    })
  })

  const heartbeat = setInterval(() => {
    wss.clients.forEach((ws) => {
      if (ws.isAlive === false) {
        ws.terminate()
        return
      }
      ws.isAlive = false
      ws.ping()
    })
  }, HEARTBEAT)

  wss.on('close', () => clearInterval(heartbeat))
}

module.exports = chat
