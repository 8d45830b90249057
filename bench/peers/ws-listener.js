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
   * @param {{ca: string, token: string}} options
   * @param {function(WebSocket)} opened called with every socket that is open
   * @return {Promise<{close: function()}>}
   */
  listen(url, { ca, token }, opened) {
    const headers = { ServiceBusAuthorization: token }
    const control = new WebSocket(url, { perMessageDeflate: false, ca, headers })
    control.on('message', (data) => {
      const { accept } = JSON.parse(data)
      if (!accept) return
      const offered = accept.connectHeaders['Sec-WebSocket-Protocol']
      const protocols = offered ? [offered.split(/, */)[0]] : []
      const socket = new WebSocket(accept.address, protocols, { perMessageDeflate: false, ca })
      socket.once('open', () => opened(socket))
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
