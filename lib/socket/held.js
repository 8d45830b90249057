'use strict'

const { run } = require('../context')
const Fifo = require('../fifo')
const { nextTick, setImmediate } = require('../globals')
const { copyOf } = require('../hub/bytes')
const { CLOSED } = require('ws')

/** What events that are held back may cost, in bytes, before the network is stopped. */
const MOST = 1024 * 1024

/** What an event costs besides its payload: its entry here, and the Buffer. Measured: 230 to 260. */
const EVENT_COST = 256

/** A payload is copied where it would keep so many times its size in memory. */
const WASTE = 4

/** Events that a socket holds back: while it is paused, or to emit one of them a turn. */
class Held {
  #core
  #events = new Fifo()
  #cost = 0
  /** The network was stopped because too much is held. */
  #throttled = false
  #releasing = false

  /** @param {SocketCore} core */
  constructor(core) {
    this.#core = core
  }

  /** @type {Number} */
  get length() {
    return this.#events.length
  }

  /**
   * @param {Function} emit A method of the core
   * @param {Buffer} data Its first argument
   * @param {Array} args Its other arguments
   */
  add(emit, data, args) {
    const core = this.#core
    this.#events.push({ emit, data: compact(data), args })
    this.#cost += EVENT_COST + data.length
    if (core.arriving || (core.paused && !core.gone)) return
    if (this.#cost > MOST && !this.#throttled && !core.gone) {
      this.#throttled = true
      core.link.pause(true)
    }
    this.releaseSoon()
  }

  /** Emits what is held in a turn to come: all of it, or one event a turn. */
  releaseSoon() {
    if (this.#releasing) return
    this.#releasing = true
    const soon = this.#core.options.allowSynchronousEvents ? nextTick : setImmediate
    soon(run, this.#core.context, this.#release, this)
  }

  /** Emits everything now. What a listener throws keeps no other event from being emitted. */
  emitAll() {
    const emit = () => this.#emit()
    while (this.#events.length > 0) this.#core.link.guard(emit)
  }

  #release() {
    this.#releasing = false
    const core = this.#core
    try {
      while (this.#events.length > 0 && this.#mayEmit()) {
        this.#emit()
        if (!core.options.allowSynchronousEvents) break
      }
    } finally {
      // Also when a listener threw: the next event comes all the same.
      this.#released()
    }
  }

  #released() {
    if (!this.#mayEmit()) return
    if (this.#events.length > 0) {
      this.releaseSoon()
      if (!this.#throttled || this.#cost > MOST / 2) return
      this.#throttled = false
      if (!this.#core.gone) this.#core.link.pause(false)
      return
    }
    this.#throttled = false
    this.#core.flow()
  }

  #mayEmit() {
    const core = this.#core
    return !core.arriving && (!core.paused || core.gone) && core.state !== CLOSED
  }

  #emit() {
    const { emit, data, args } = this.#events.shift()
    this.#cost -= EVENT_COST + data.length
    emit.call(this.#core, data, ...args)
  }
}

/**
 * @param {Buffer} data
 * @return {Buffer} The same bytes, without a large memory behind them that others share
 */
function compact(data) {
  return data.buffer.byteLength > data.length * WASTE ? copyOf(data) : data
}

module.exports = Held
