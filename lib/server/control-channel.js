'use strict'

const EventEmitter = require('node:events')

const { CONNECTING, OPEN, CLOSING, CLOSED } = require('ws')

const STATES = {
  connecting: CONNECTING,
  online: OPEN,
  offline: CLOSED,
  closing: CLOSING,
  closed: CLOSED,
}

/**
 * What `server.controlChannel` shows of the WebSocket on which the relay announces senders. With hyco-ws
 * it is that WebSocket, and another one after every loss; here it is one object for the life of the
 * server, and can only be watched: what is sent on the control channel is the server's business.
 *
 * @extends EventEmitter
 */
class ControlChannel extends EventEmitter {
  #status

  /**
   * @param {Function} status Tells the status of the server
   */
  constructor(status) {
    super()
    this.#status = status
  }

  /**
   * `CONNECTING`, `OPEN`, `CLOSING` or `CLOSED`, with the numbers of ws.
   *
   * @type {Number}
   */
  get readyState() {
    return STATES[this.#status()]
  }

  /**
   * The control channel is up.
   *
   * @package
   */
  opened() {
    this.emit('open')
  }

  /**
   * The control channel is down, or could not be opened.
   *
   * @param {Error} error
   * @package
   */
  failed(error) {
    try {
      if (this.listenerCount('error') > 0) this.emit('error', error)
    } finally {
      this.emit('close', error.closeCode ?? 1006, error.reason ?? '')
    }
  }

  /**
   * The server has closed it.
   *
   * @package
   */
  closed() {
    this.emit('close', 1000, '')
  }
}

Object.assign(ControlChannel.prototype, { CONNECTING, OPEN, CLOSING, CLOSED })

module.exports = ControlChannel
