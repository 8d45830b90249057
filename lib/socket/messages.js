'use strict'

const { Buffer } = require('node:buffer')
const { CLOSED } = require('ws')

const { CONNECTION_LOST, createError } = require('../errors')
const Fifo = require('../fifo')
const { setImmediate } = require('../globals')
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
 * handshake, is thrown when all that came before it has been taken. What came and was not taken when a
 * loop is left, waits for the next one.
 */
class Messages {
  #core
  #waiting
  #cost
  #paused = false
  /** Calls of `next` that wait for a message. */
  #takers = []
  #ended = false
  #error = null

  /** Called once at the end, unless somebody waits for a message and learns of the end by that. */
  #over = null

  /** @param {SocketCore} core */
  constructor(core) {
    this.#core = core
    const { waiting, cost } = core.unread ?? { waiting: new Fifo(), cost: 0 }
    core.unread = null
    this.#waiting = waiting
    this.#cost = cost
    if (core.state === CLOSED) {
      this.#ended = true
      return
    }
    core.face.on('message', this.#add)
    core.face.on('error', this.#fail)
    core.face.on('close', this.#end)
    this.#settle()
  }

  /** @param {Function} over Called with the error, or `null`, when there is nothing more to take */
  set onOver(over) {
    this.#over = over
    this.#tellOver()
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
      this.#tellOver()
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
    this.#over = null
    this.#finish()
    this.#error = null
    if (this.#waiting.length > 0) {
      this.#core.unread = { waiting: this.#waiting, cost: this.#cost }
      this.#waiting = new Fifo()
    }
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
    const { face } = this.#core
    face.removeListener('message', this.#add)
    face.removeListener('close', this.#end)
    // An error that comes later still has a listener only if the program has one.
    face.removeListener('error', this.#fail)
    if (this.#takers.length > 0) this.#over = null
    for (const { resolve, reject } of this.#takers.splice(0)) {
      if (this.#error === null) resolve(DONE)
      else reject(this.#error)
      this.#error = null
    }
    this.#tellOver()
  }

  #tellOver() {
    if (this.#over === null || !this.#ended || this.#waiting.length > 0) return
    const over = this.#over
    this.#over = null
    // What has just been taken arrives first.
    setImmediate(over, this.#error)
  }

  #settle() {
    const full = !this.#ended && this.#cost > MOST
    if (full === this.#paused) return
    this.#paused = full
    if (full) this.#core.pause(this)
    else this.#core.resume(this)
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
