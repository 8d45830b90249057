'use strict'

const EventEmitter = require('node:events')

/**
 * Stands where ws gives its `http.ClientRequest` to `'unexpected-response'` listeners: programs
 * destroy it when they have seen enough. The exchange is over already, so nothing else happens.
 */
class HandshakeRequest extends EventEmitter {
  destroyed = false

  /** @return {HandshakeRequest} this */
  destroy() {
    if (!this.destroyed) {
      this.destroyed = true
      this.emit('close')
    }
    return this
  }

  /** The older name of `destroy`. */
  abort() {
    this.destroy()
  }
}

module.exports = HandshakeRequest
