'use strict'

// A listener and a sender that flood each other at the relay of LISTEN and SEND. `flood(onTraffic)`
// calls back when messages flow in both directions.

const hyco = require('hyco-rs')

/**
 * @param {Object} settings `listen`, `send` (addresses), `token`, `tls`
 * @param {Function} onTraffic
 */
function flood({ listen, send, token, tls }, onTraffic) {
  const seen = { listener: 0, sender: 0 }
  const small = 'x'.repeat(50)
  const large = Buffer.alloc(70_000)
  const traffic = (side) => {
    seen[side]++
    if (seen.listener + seen.sender > 200 && seen.listener > 0 && seen.sender > 0) {
      onTraffic?.()
      onTraffic = undefined
    }
  }
  const pump = (socket, side) => {
    socket.on('message', () => traffic(side))
    socket.on('error', () => {})
    const more = () => {
      if (socket.readyState !== hyco.OPEN) return
      for (let i = 0; i < 20; i++) socket.send(small)
      socket.send(large, () => setImmediate(more))
    }
    more()
  }
  const server = hyco.createRelayedServer({ server: listen, token, tls }, (socket) =>
    pump(socket, 'listener'),
  )
  server.on('error', () => {})
  server.on('listening', () => {
    for (let i = 0; i < 3; i++) {
      hyco.relayedConnect(send, token, { tls }, (socket) => pump(socket, 'sender'))
    }
  })
}

module.exports = flood
