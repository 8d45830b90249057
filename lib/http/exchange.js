'use strict'

const { Buffer } = require('node:buffer')
const { Duplex } = require('node:stream')

const { clearTimeout, now, setTimeout } = require('../globals')

/** How much may be written before the native side has taken it, and how much of a large chunk is handed
 * over at once: it is copied there, so a stalled sender costs no more than both. */
const WRITTEN_WINDOW = 128 * 1024
const SLICE = 128 * 1024

/** How much is consumed before the native side is told, whose window is twice as large. */
const CONSUMED = 64 * 1024

/** How long an answered exchange waits for its server to end it, in milliseconds. */
const LINGER = 5_000

/** How an exchange ended, as in crates/hub/src/exchanges/pipe.rs. */
const ANSWERED = 0

/**
 * One relayed request, as a connection of an HTTP server: what is read from it is the request, what
 * is written to it the answer. It has the properties of a `net.Socket` that servers and frameworks
 * use; each request has one of its own, so that two senders never meet on one.
 *
 * @extends Duplex
 */
class Exchange extends Duplex {
  #outgoing
  #number
  #written = 0
  /** Chunks that are not handed over yet, and what is called once they are and the window has room. */
  #chunks = []
  #next = 0
  #waiting = null
  #unconsumed = 0
  #closed = false
  /** Only one that is upgraded learns of it. It is over when all of it was read. */
  #senderEnded = false
  /** What comes before the server reads. */
  #early = []
  #timeout = 0
  #timer = null

  /**
   * @param {Outgoing} outgoing
   * @param {Number} number
   * @param {Object} info What is known of the request
   * @param {String} info.trackingId
   * @param {(String|undefined)} info.remoteAddress
   * @param {(Number|undefined)} info.remotePort
   * @param {Boolean} info.encrypted Whether the way to the relay is encrypted
   */
  constructor(outgoing, number, info) {
    super({ decodeStrings: false })
    this.#outgoing = outgoing
    this.#number = number
    this.trackingId = info.trackingId
    this.remoteAddress = info.remoteAddress
    this.remotePort = info.remotePort
    this.encrypted = info.encrypted
    this.connecting = false
    /** When it came, for those who watch. @type {Number} */
    this.since = now()
    this.bytesRead = 0
    this.bytesWritten = 0
    /** It was ended from outside, and not by its handler, before its answer was whole. @type {Boolean} */
    this.abandoned = false
    /** Its answer has been taken in whole. @type {Boolean} */
    this.answered = false
  }

  /** @type {(String|undefined)} */
  get remoteFamily() {
    if (this.remoteAddress === undefined) return undefined
    return this.remoteAddress.includes(':') ? 'IPv6' : 'IPv4'
  }

  /** @type {String} As that of a `net.Socket` */
  get readyState() {
    if (this.destroyed) return 'closed'
    if (this.readable) return this.writable ? 'open' : 'readOnly'
    return this.writable ? 'writeOnly' : 'closed'
  }

  /** @type {Boolean} */
  get pending() {
    return false
  }

  /** There is no local address. @return {Object} */
  address() {
    return {}
  }

  /** @return {Exchange} this; there is no connection of its own */
  setNoDelay() {
    return this
  }

  /** @return {Exchange} this */
  setKeepAlive() {
    return this
  }

  /** @return {Exchange} this */
  ref() {
    return this
  }

  /** @return {Exchange} this */
  unref() {
    return this
  }

  /**
   * Emits `'timeout'` when nothing was read or written for a while.
   *
   * @param {Number} timeout Milliseconds; 0 for never
   * @param {Function} [callback] A one-time listener
   * @return {Exchange} this
   */
  setTimeout(timeout, callback) {
    clearTimeout(this.#timer)
    this.#timer = null
    this.#timeout = timeout
    if (timeout > 0) {
      this.#timer = setTimeout(() => this.emit('timeout'), timeout)
      this.#timer.unref()
      if (callback) this.once('timeout', callback)
    } else if (callback) {
      this.removeListener('timeout', callback)
    }
    return this
  }

  /** @type {(Number|undefined)} */
  get timeout() {
    return this.#timeout || undefined
  }

  /** Destroys it when all that was written has left. */
  destroySoon() {
    if (this.writable) this.end()
    if (this.writableFinished) this.destroy()
    else this.once('finish', this.destroy)
  }

  /**
   * The server reads from now on.
   *
   * @param {Buffer} bytes The first ones of the request, which are not acknowledged
   */
  begin(bytes) {
    const early = this.#early
    this.#early = null
    this.#receive(bytes)
    for (const more of early) this.#receive(more)
  }

  /** More bytes of the request. @param {Buffer} bytes */
  received(bytes) {
    this.#unconsumed += bytes.length
    if (this.#early === null) this.#receive(bytes)
    else this.#early.push(bytes)
  }

  /** The sender has ended its side. */
  ended() {
    this.#senderEnded = true
    if (!this.destroyed) this.push(null)
  }

  /** So many bytes of the answer have been taken. @param {Number} count */
  taken(count) {
    this.#written -= count
    if (this.#waiting !== null) this.#handOver()
  }

  /** It is over. @param {Number} outcome */
  closed(outcome) {
    this.#closed = true
    this.answered = outcome === ANSWERED
    if (this.destroyed) return
    if (!this.answered) {
      this.abandon()
      return
    }
    // What else is written after the answer has nowhere to go.
    this.taken(this.#written)
    if (this.#senderEnded) return
    if (this.writableEnded) {
      // A server destroys it then, but a handler that has ended it by itself does not.
      this.destroySoon()
    } else {
      const timer = setTimeout(() => this.destroy(), LINGER)
      timer.unref()
      this.once('close', () => clearTimeout(timer))
    }
  }

  /** The sender has left, its time is over, or the server closes. */
  abandon() {
    if (this.destroyed) return
    this.abandoned = true
    this.destroy()
  }

  /** The handler threw while it read this. */
  threw() {
    if (this.#closed || this.destroyed) return
    this.#outgoing.threw(this.#number)
    this.destroy()
  }

  /** No server takes it. */
  notServed() {
    this.#outgoing.notServed(this.#number)
    this.destroy()
  }

  /** @override */
  _read() {
    this.#consume()
  }

  /** @override */
  _write(chunk, encoding, callback) {
    if (chunk.length <= SLICE && this.#written <= WRITTEN_WINDOW) {
      this.#write(chunk, encoding)
      if (this.#written <= WRITTEN_WINDOW) {
        callback()
        return
      }
    } else {
      this.#chunks = [{ chunk, encoding }]
      this.#next = 0
    }
    this.#waiting = callback
    this.#handOver()
  }

  /** @override */
  _writev(chunks, callback) {
    this.#chunks = chunks
    this.#next = 0
    this.#waiting = callback
    this.#handOver()
  }

  /** @override */
  _final(callback) {
    if (!this.#closed) this.#outgoing.finish(this.#number)
    callback()
  }

  /** @override */
  _destroy(error, callback) {
    clearTimeout(this.#timer)
    if (!this.#closed) this.#outgoing.destroy(this.#number)
    this.#waiting = null
    this.#chunks = []
    callback(error)
  }

  #receive(bytes) {
    if (this.destroyed) return
    this.bytesRead += bytes.length
    this.#timer?.refresh()
    if (this.push(bytes)) this.#consume()
  }

  #write(chunk, encoding) {
    this.#timer?.refresh()
    if (this.#closed || chunk.length === 0) return
    const length = this.#outgoing.write(this.#number, chunk, encoding)
    this.#written += length
    this.bytesWritten += length
  }

  /** Hands over what fits into the window; goes on with the next write when that was all. */
  #handOver() {
    while (this.#next < this.#chunks.length && this.#hasRoom()) {
      const { chunk, encoding } = this.#chunks[this.#next]
      if (chunk.length <= SLICE || this.#closed) {
        this.#next++
        this.#write(chunk, encoding)
      } else {
        const bytes = typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk
        this.#write(bytes.subarray(0, SLICE))
        this.#chunks[this.#next] = { chunk: bytes.subarray(SLICE) }
      }
    }
    if (this.#next < this.#chunks.length || !this.#hasRoom()) return
    const callback = this.#waiting
    this.#waiting = null
    this.#chunks = []
    this.#next = 0
    callback()
  }

  #hasRoom() {
    return this.#written <= WRITTEN_WINDOW || this.#closed
  }

  #consume() {
    if (this.#unconsumed < CONSUMED || this.#closed) return
    this.#outgoing.consumed(this.#number, this.#unconsumed)
    this.#unconsumed = 0
  }
}

module.exports = Exchange
