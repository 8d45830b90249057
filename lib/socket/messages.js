'use strict'

const { Buffer } = require('node:buffer')
const { CLOSED } = require('ws')

const { CONNECTION_LOST, createError } = require('../errors')
const Fifo = require('../fifo')
const { copyOf } = require('../hub/bytes')

/** What messages that nobody has taken may cost, in bytes, before the socket is paused. */
const MOST = 64 * 1024

/** What a message costs besides its payload. */
const MESSAGE_COST = 256

const ABNORMAL = 1006
const DONE = { done: true, value: undefined }

/**
 * The messages of a socket, one after the other: text as strings, everything else as `'message'` gives
 * it, but whole. The socket is paused while more waits than is taken.
 *
 * The end of the connection is the end of the iteration; an error, or an end without a closing
 * handshake, is thrown when all that came before it has been taken.
 */
class Messages {
  #socket
  #waiting = new Fifo()
  #cost = 0
  #paused = false
  /** Calls of `next` that wait for a message. */
  #takers = []
  #ended = false
  #error = null

  /** @param {RelayedSocket} socket */
  constructor(socket) {
    this.#socket = socket
    if (socket.readyState === CLOSED) {
      this.#ended = true
      return
    }
    socket.on('message', this.#add)
    socket.on('error', this.#fail)
    socket.on('close', this.#end)
  }

  [Symbol.asyncIterator]() {
    return this
  }

  /** @return {Promise<{done: Boolean, value: *}>} the next message */
  next() {
    if (this.#waiting.length > 0) {
      const { value, cost } = this.#waiting.shift()
      this.#cost -= cost
      this.#settle()
      return Promise.resolve({ done: false, value })
    }
    if (this.#error !== null) {
      const error = this.#error
      this.#error = null
      return Promise.reject(error)
    }
    if (this.#ended) return Promise.resolve(DONE)
    return new Promise((resolve, reject) => this.#takers.push({ resolve, reject }))
  }

  /**
   * Stops taking messages, as a loop does that is left. The socket stays open, and reads on.
   *
   * @return {Promise<{done: Boolean, value: *}>}
   */
  return(value) {
    this.#finish()
    this.#error = null
    this.#waiting = new Fifo()
    this.#cost = 0
    this.#settle()
    return Promise.resolve({ done: true, value })
  }

  #add = (data, isBinary) => {
    const value = isBinary ? whole(data) : String(data)
    const taker = this.#takers.shift()
    if (taker !== undefined) {
      taker.resolve({ done: false, value })
      return
    }
    const cost = MESSAGE_COST + costOf(value)
    this.#waiting.push({ value, cost })
    this.#cost += cost
    this.#settle()
  }

  #fail = (error) => {
    this.#error ??= error
  }

  #end = (code) => {
    if (code === ABNORMAL) {
      this.#error ??= createError(
        CONNECTION_LOST,
        'the connection ended without a closing handshake',
      )
    }
    this.#finish()
  }

  /** Nothing comes any more: who waits is told, first of the error. */
  #finish() {
    if (this.#ended) return
    this.#ended = true
    const socket = this.#socket
    socket.removeListener('message', this.#add)
    socket.removeListener('close', this.#end)
    // An error that comes later still has a listener only if the program has one.
    socket.removeListener('error', this.#fail)
    for (const { resolve, reject } of this.#takers.splice(0)) {
      if (this.#error === null) resolve(DONE)
      else reject(this.#error)
      this.#error = null
    }
  }

  #settle() {
    const full = !this.#ended && this.#cost > MOST
    if (full === this.#paused) return
    this.#paused = full
    if (full) this.#socket.pause()
    else this.#socket.resume()
  }
}

/** `binaryType` may ask for fragments, which are not of use here. */
function whole(data) {
  return Array.isArray(data) ? copyOf(Buffer.concat(data)) : data
}

function costOf(data) {
  return data.length ?? data.byteLength ?? data.size
}

module.exports = Messages
