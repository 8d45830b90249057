'use strict'

const EventEmitter = require('node:events')
const http = require('node:http')

const { applicationUrl } = require('../native')

// Symbols, not private fields: objects that inherit from a request must be able to read it.
const kHeaders = Symbol('headers')
const kHeadersDistinct = Symbol('headersDistinct')

/**
 * Stands where `request.socket` stands in a server of its own: it knows the sender's address as the
 * relay saw it. There is no connection behind it; nothing can be read or written.
 *
 * @extends EventEmitter
 */
class RemoteEndpoint extends EventEmitter {
  /**
   * @param {(String|undefined)} remoteAddress The sender's IP address
   * @param {(Number|undefined)} remotePort The sender's port
   * @param {Boolean} encrypted Whether the way to the relay is encrypted
   */
  constructor(remoteAddress, remotePort, encrypted) {
    super()
    this.remoteAddress = remoteAddress
    this.remotePort = remotePort
    this.encrypted = encrypted
    this.destroyed = false
  }

  /** @type {(String|undefined)} */
  get remoteFamily() {
    if (this.remoteAddress === undefined) return undefined
    return this.remoteAddress.includes(':') ? 'IPv6' : 'IPv4'
  }

  /** Always `false`: what the sender says comes through the `WebSocket`. */
  get readable() {
    return false
  }

  /** Always `false`: the answer to the sender is the handler's decision. */
  get writable() {
    return false
  }

  /**
   * Marks it destroyed; the relayed connection is not touched.
   *
   * @return {RemoteEndpoint} this
   */
  destroy() {
    this.destroyed = true
    return this
  }

  /** @return {RemoteEndpoint} this; there is no connection that could time out */
  setTimeout() {
    return this
  }

  /** @return {RemoteEndpoint} this */
  setKeepAlive() {
    return this
  }

  /** @return {RemoteEndpoint} this */
  setNoDelay() {
    return this
  }

  /** @return {RemoteEndpoint} this */
  ref() {
    return this
  }

  /** @return {RemoteEndpoint} this */
  unref() {
    return this
  }
}

/**
 * The request a sender made to the relay, as the relay forwarded it. It has no body.
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
    this.complete = true
    for (const [name, value] of headers) this.rawHeaders.push(name, value)
    /** The id of the connection, the same at the sender, the relay and here. */
    this.trackingId = id
    this[kHeaders] = null
    this[kHeadersDistinct] = null
    this.push(null)
  }

  /**
   * The headers by lower-case name. A repeated name has its values joined, `set-cookie` has a list.
   *
   * @type {Object}
   */
  get headers() {
    if (this[kHeaders] === null) {
      this[kHeaders] = {}
      for (let i = 0; i < this.rawHeaders.length; i += 2) {
        addHeader(this[kHeaders], this.rawHeaders[i].toLowerCase(), this.rawHeaders[i + 1])
      }
    }
    return this[kHeaders]
  }

  /**
   * The headers by lower-case name, each with the list of its values.
   *
   * @type {Object}
   */
  get headersDistinct() {
    if (this[kHeadersDistinct] === null) {
      this[kHeadersDistinct] = Object.create(null)
      for (let i = 0; i < this.rawHeaders.length; i += 2) {
        const name = this.rawHeaders[i].toLowerCase()
        this[kHeadersDistinct][name] ??= []
        this[kHeadersDistinct][name].push(this.rawHeaders[i + 1])
      }
    }
    return this[kHeadersDistinct]
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

/**
 * Adds a header the way Node's parser does.
 *
 * @param {Object} headers
 * @param {String} name In lower case
 * @param {String} value
 */
function addHeader(headers, name, value) {
  const known = Object.hasOwn(headers, name)
  if (name === 'set-cookie') {
    if (known) headers[name].push(value)
    else headers[name] = [value]
  } else if (known) {
    headers[name] += (name === 'cookie' ? '; ' : ', ') + value
  } else {
    headers[name] = value
  }
}

module.exports = RelayedRequest
