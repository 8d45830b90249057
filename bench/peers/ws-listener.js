'use strict'

// A listener written by hand on npm `ws`, in the shape of hyco-ws: a control channel, and a dial for
// every accept. What hyco-ws would be if it were moved to today's `ws`.

const { WebSocket } = require('ws')

const { receive, sendAndDrain } = require('./ws')

module.exports = {
  title: 'listener on ws',
  packages: ['ws', 'bufferutil'],

  /**
   * Listens; resolves when the control channel is up.
   *
   * @param {string} url
   * @param {{ca: string, token: string, keepAlive: number|undefined}} options
   * @param {function(WebSocket)} opened called with every socket that is open
   * @return {Promise<{close: function()}>}
   */
  listen(url, { ca, token, keepAlive }, opened) {
    const sockets = keepAlive === undefined ? null : pingEvery(keepAlive)
    const headers = { ServiceBusAuthorization: token }
    const control = new WebSocket(url, { perMessageDeflate: false, ca, headers })
    control.on('message', (data) => {
      const { accept } = JSON.parse(data)
      if (!accept) return
      const offered = accept.connectHeaders['Sec-WebSocket-Protocol']
      const protocols = offered ? [offered.split(/, */)[0]] : []
      const socket = new WebSocket(accept.address, protocols, { perMessageDeflate: false, ca })
      socket.once('open', () => {
        sockets?.add(watch(socket))
        opened(socket)
      })
      socket.on('error', () => {})
    })
    return new Promise((resolve, reject) => {
      control.once('open', () => resolve({ close: () => control.close() }))
      control.once('error', reject)
    })
  },

  receive,
  sendAndDrain,
}

/** The loop that the README of ws recommends, over the sockets that are added to the set it returns. */
function pingEvery(interval) {
  const sockets = new Set()
  setInterval(() => {
    for (const socket of sockets) {
      if (socket.isAlive === false) {
        socket.terminate()
        continue
      }
      socket.isAlive = false
      socket.ping()
    }
  }, interval)
  return sockets
}

/** A socket that is alive, so far. */
function watch(socket) {
  socket.isAlive = true
  socket.on('pong', heartbeat)
  return socket
}

function heartbeat() {
  this.isAlive = true
}
