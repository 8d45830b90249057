'use strict'

const WebSocket = require('ws')

const certificate = require('../certificate')

/**
 * What every kind of pair has in common: the sockets of a row are remembered and ended after it.
 *
 * A *subject* is the socket under test, a *peer* the one at the other end: a `ws` socket from
 * `open()`, plain bytes from `raw()`.
 */
class Pair {
  #sockets = new Set()
  #peers = new Set()
  #count = 0
  #servers = new Map()

  /**
   * @param {Boolean} secure Whether to speak TLS
   */
  constructor(secure) {
    this.secure = secure
    this.scheme = secure ? 'wss' : 'ws'
  }

  /** How the pair is called in the names of tests. */
  get name() {
    return `${this.kind} over ${this.secure ? 'TLS' : 'TCP'}`
  }

  /** Makes a number that no other row of this pair has. */
  number() {
    return ++this.#count
  }

  /**
   * Remembers a socket, so that it is ended after the row.
   *
   * @param {WebSocket} socket
   * @return {WebSocket}
   */
  keep(socket) {
    this.#sockets.add(socket)
    return socket
  }

  /**
   * Remembers a raw peer, so that it is destroyed after the row.
   *
   * @param {RawPeer} peer
   * @return {RawPeer}
   */
  keepRaw(peer) {
    this.#peers.add(peer)
    return peer
  }

  /**
   * Ends a socket that will never emit `'close'`: a `ws` socket is stuck after an exception of a
   * message listener.
   *
   * @param {WebSocket} socket
   */
  forget(socket) {
    this.#sockets.delete(socket)
    socket.terminate()
  }

  /** Ends what the row left open, and waits for it. */
  async sweep() {
    const ends = []
    for (const socket of this.#sockets) {
      if (socket.readyState === WebSocket.CLOSED) continue
      socket.removeAllListeners('message')
      socket.on('error', () => {})
      ends.push(new Promise((resolve) => socket.once('close', resolve)))
      socket.terminate()
    }
    this.#sockets.clear()
    await Promise.all(ends)
    for (const peer of this.#peers) peer.destroy()
    this.#peers.clear()
  }

  /**
   * A server made once for its options.
   *
   * @param {Object} options
   * @param {Function} make
   * @return {Promise<Object>}
   */
  cached(options, make) {
    const key = JSON.stringify(options)
    if (!this.#servers.has(key)) this.#servers.set(key, make())
    return this.#servers.get(key)
  }

  /** The TLS option of a `ws` client. */
  get trust() {
    return this.secure ? { ca: certificate.ca } : {}
  }

  /** Closes the servers. */
  async close() {
    await this.sweep()
    for (const server of this.#servers.values()) await (await server).close()
  }
}

module.exports = Pair
