'use strict'

const EventEmitter = require('node:events')

/**
 * What `createWebSocketStream` of `ws` asks of a socket's transport: whether all was written.
 */
class SendingSide extends EventEmitter {
  /** @param {boolean} finished whether it was before anyone asked */
  constructor(finished) {
    super()
    this._writableState = { finished }
  }

  finish() {
    this._writableState.finished = true
    this.emit('finish')
  }

  close() {
    this.emit('close')
  }
}

module.exports = SendingSide
