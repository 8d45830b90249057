'use strict'

const { Buffer } = require('node:buffer')

const { queueMicrotask } = require('../globals')

/** Commands, as in crates/hub/src/exchanges/mod.rs. */
const WRITE = 1
const CONSUMED = 2
const FINISH = 3
const DESTROY = 4
const THREW = 5
const NOT_SERVED = 6
const KIND_SHIFT = 28

const RING_BYTES = 64 * 1024
const COMMAND_BYTES = 8

/** Writes above this many bytes cross alone: copying them twice costs more than a call. */
const SMALL = 8 * 1024

/**
 * What exchanges say to the native side, gathered so that one call a turn carries all of it.
 */
class Outgoing {
  #native
  #ring = Buffer.alloc(RING_BYTES)
  #words = new Uint32Array(this.#ring.buffer, this.#ring.byteOffset, RING_BYTES / 4)
  #used = 0
  #scheduled = false
  #flushSoon = () => {
    this.#scheduled = false
    this.flush()
  }

  /** @param {Object} native The native hub */
  constructor(native) {
    this.#native = native
  }

  /**
   * Writes to the answer of an exchange.
   *
   * @param {Number} exchange
   * @param {(Buffer|String)} chunk
   * @param {String} encoding Of a string
   * @return {Number} how many bytes that were
   */
  write(exchange, chunk, encoding) {
    const isText = typeof chunk === 'string'
    // A UTF-16 unit takes three bytes at the most.
    const most = isText ? chunk.length * 3 : chunk.length
    if (most > SMALL)
      return this.#writeLarge(exchange, isText ? Buffer.from(chunk, encoding) : chunk)
    if (this.#used + COMMAND_BYTES + most + 3 > RING_BYTES) this.flush()
    const start = this.#used
    const at = start + COMMAND_BYTES
    let length = most
    if (isText) length = this.#ring.write(chunk, at, encoding)
    else this.#ring.set(chunk, at)
    this.#words[start >> 2] = exchange
    this.#words[(start >> 2) + 1] = (WRITE << KIND_SHIFT) | length
    this.#used = at + ((length + 3) & ~3)
    this.#flushLater()
    return length
  }

  /** So many bytes of the request have been consumed. */
  consumed(exchange, count) {
    this.#command(exchange, CONSUMED, count)
  }

  /** Nothing more is written. */
  finish(exchange) {
    this.#command(exchange, FINISH, 0)
  }

  /** The exchange is given up. */
  destroy(exchange) {
    this.#command(exchange, DESTROY, 0)
  }

  /** The handler threw before it had answered. */
  threw(exchange) {
    this.#command(exchange, THREW, 0)
  }

  /** No server takes it. */
  notServed(exchange) {
    this.#command(exchange, NOT_SERVED, 0)
  }

  /** Hands the commands to the native side now. */
  flush() {
    if (this.#used === 0) return
    const used = this.#used
    this.#used = 0
    this.#native.exchangeFlush(this.#ring, used)
  }

  #command(exchange, kind, value) {
    if (this.#used + COMMAND_BYTES > RING_BYTES) this.flush()
    const at = this.#used >> 2
    this.#words[at] = exchange
    this.#words[at + 1] = (kind << KIND_SHIFT) | value
    this.#used += COMMAND_BYTES
    this.#flushLater()
  }

  #writeLarge(exchange, chunk) {
    // What was written before leaves before.
    this.flush()
    this.#native.exchangeWrite(exchange, chunk)
    return chunk.length
  }

  #flushLater() {
    if (this.#scheduled) return
    this.#scheduled = true
    queueMicrotask(this.#flushSoon)
  }
}

module.exports = Outgoing
