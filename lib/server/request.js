'use strict'

const http = require('node:http')

const { applicationUrl } = require('../native')
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
   * @param {String[][]} accept.headers The sender's headers, name and value
   * @param {String} [accept.remoteAddress] The sender's IP address
   * @param {Number} [accept.remotePort] The sender's port
   */
  constructor({ id, address, headers, remoteAddress, remotePort }) {
    const encrypted = address.startsWith('wss:')
    super(new RemoteEndpoint(remoteAddress || undefined, remotePort || undefined, encrypted))
    this.method = 'GET'
    this.url = applicationUrl(address)
    this.httpVersion = '1.1'
    this.httpVersionMajor = 1
    this.httpVersionMinor = 1
    this.upgrade = true
    const lines = headers.flat()
    // What Node's own parser calls: `headers` and `headersDistinct` are then made when they are read,
    // by Node's rules for names that are repeated.
    this._addHeaderLines(lines, lines.length)
    this.complete = true
    /** The id of the connection, the same at the sender, the relay and here. */
    this.trackingId = id
    this.push(null)
  }

  /**
   * There is nothing to read from and nothing to tear down.
   *
   * @private
   */
  _read() {}

  /**
   * @param {(Error|null)} error
   * @param {Function} callback
   * @private
   */
  _destroy(error, callback) {
    this.socket.destroy()
    callback(error)
  }
}

module.exports = RelayedRequest
