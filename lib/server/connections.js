'use strict'

const Fifo = require('../fifo')
const { setImmediate } = require('../globals')
const { pausable } = require('../socket/relayed-socket')

/** How a socket is closed that came for a loop which was left. */
const TRY_AGAIN_LATER = 1013

/**
 * The connections of a server, one after the other. A socket is paused until the loop takes it, so that
 * no message is lost on the way.
 *
 * The end of the server is the end of the iteration; a failure for which it can listen no more, or not
 * at all, is thrown.
 */
class Connections {
  #server
  #loops
  #waiting = new Fifo()
  #takers = []
  #ended = false
  #error = null

  /**
   * @param {RelayedServer} server
   * @param {Set<Connections>} loops Those that are told of such a failure; this one joins them
   */
  constructor(server, loops) {
    this.#server = server
    this.#loops = loops
    if (server.status === 'closed') {
      this.#ended = true
      return
    }
    loops.add(this)
    server.on('connection', this.#add)
    server.on('close', this.#finish)
  }

  [Symbol.asyncIterator]() {
    return this
  }

  /** @return {Promise<{done: Boolean, value: RelayedSocket}>} the next socket */
  next() {
    if (this.#waiting.length > 0) {
      const socket = this.#waiting.shift()
      this.#resumeSoon(socket)
      return Promise.resolve({ done: false, value: socket })
    }
    if (this.#error !== null) {
      const error = this.#error
      this.#error = null
      return Promise.reject(error)
    }
    if (this.#ended) return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve, reject) => this.#takers.push({ resolve, reject }))
  }

  /**
   * Takes no more sockets, as a loop does that is left. The server goes on; sockets that wait for the
   * loop are closed with 1013, since nobody else knows of them.
   *
   * @return {Promise<{done: Boolean, value: *}>}
   */
  return(value) {
    this.#finish()
    this.#error = null
    for (const socket of this.#waiting.takeAll()) {
      pausable(socket).resume(this)
      socket.close(TRY_AGAIN_LATER)
    }
    return Promise.resolve({ done: true, value })
  }

  /**
   * The server cannot listen.
   *
   * @param {Error} error
   */
  fail(error) {
    this.#error = error
    this.#finish()
  }

  #add = (socket) => {
    const taker = this.#takers.shift()
    pausable(socket).pause(this)
    if (taker === undefined) {
      this.#waiting.push(socket)
    } else {
      taker.resolve({ done: false, value: socket })
      this.#resumeSoon(socket)
    }
  }

  #finish = () => {
    if (this.#ended) return
    this.#ended = true
    this.#loops.delete(this)
    this.#server.removeListener('connection', this.#add)
    this.#server.removeListener('close', this.#finish)
    for (const { resolve, reject } of this.#takers.splice(0)) {
      if (this.#error === null) resolve({ done: true, value: undefined })
      else reject(this.#error)
      this.#error = null
    }
  }

  /** When the loop has had the socket: its listeners are there then. */
  #resumeSoon(socket) {
    setImmediate(() => pausable(socket).resume(this))
  }
}

module.exports = Connections
