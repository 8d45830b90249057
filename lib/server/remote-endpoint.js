'use strict'

const EventEmitter = require('node:events')

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

module.exports = RemoteEndpoint
