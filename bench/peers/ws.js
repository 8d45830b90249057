'use strict'

// npm `ws` with `bufferutil` beside it: the measure of all others.

const { WebSocket } = require('ws')

module.exports = {
  title: 'ws',
  packages: ['ws', 'bufferutil'],

  /**
   * Opens a socket.
   *
   * @param {string} url
   * @param {string} ca certificate of the server, as PEM
   * @return {Promise<WebSocket>}
   */
  connect(url, ca) {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url, { perMessageDeflate: false, ca })
      socket.once('open', () => resolve(socket))
      socket.once('error', reject)
    })
  },

  /**
   * Calls `listener` with every message.
   *
   * @param {WebSocket} socket
   * @param {function(Buffer)} listener
   */
  receive(socket, listener) {
    socket.on('message', listener)
  },

  /**
   * Sends a message and calls `resume` when the socket can take more.
   *
   * @param {WebSocket} socket
   * @param {Buffer} data
   * @param {function()} resume
   */
  sendAndDrain(socket, data, resume) {
    socket.send(data, resume)
  },
}
