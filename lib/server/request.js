'use strict'

const http = require('node:http')

const RemoteEndpoint = require('./remote-endpoint')

/**
 * The request a sender made to the relay, as the relay forwarded it. It has no body.
 *
 * Everything it knows is in fields of its own or in those of `http.IncomingMessage`: frameworks replace
 * the prototype of a request, and it must know its headers all the same.
 *
 * @extends http.IncomingMessage
 */
class RelayedRequest extends http.IncomingMessage {
  /**
   * @param {Object} accept What the relay says about a sender
   * @param {String} accept.id The tracking id of the connection
   * @param {String} accept.address The rendezvous address
   * @param {String} accept.url Path and query as the program sees them
   * @param {String[]} accept.headers The sender's headers, names and values in turns
   * @param {String} [accept.remoteAddress] The sender's IP address
   * @param {Number} [accept.remotePort] The sender's port
   */
  constructor({ id, address, url, headers, remoteAddress, remotePort }) {
    const encrypted = address.startsWith('wss:')
    super(new RemoteEndpoint(remoteAddress || undefined, remotePort || undefined, encrypted))
    this.method = 'GET'
    this.url = url
    this.httpVersion = '1.1'
    this.httpVersionMajor = 1
    this.httpVersionMinor = 1
    this.upgrade = true
    // What Node's own parser calls: `headers` and `headersDistinct` are then made when they are read,
    // by Node's rules for names that are repeated.
    this._addHeaderLines(headers, headers.length)
    this.complete = true
    /** The id of the connection, the same at the sender, the relay and here. */
    this.trackingId = id
    // It ends when somebody reads it, which hardly anybody does. The method is its own, since Express
    // replaces the prototype.
    this._read = end
  }

  /**
   * There is nothing to tear down.
   *
   * @param {(Error|null)} error
   * @param {Function} callback
   * @private
   */
  _destroy(error, callback) {
    this.socket.destroy()
    callback(error)
  }
}

/** Reads a body that is empty. */
function end() {
  this.push(null)
}

module.exports = RelayedRequest
