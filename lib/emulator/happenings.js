'use strict'

const Fifo = require('../fifo')

/** How many events wait for a `for await` that does not come back for them. */
const MOST_WAITING = 10_000

const DONE = { done: true, value: undefined }

/** What happens at a relay from now on, one event after the other, until the relay ends. */
class Happenings {
  #relay
  #waiting = new Fifo()
  /** Calls of `next` that wait for an event. */
  #takers = []
  #ended = false

  /**
   * @param {RelayEmulator} relay
   * @param {Promise<void>} closed
   */
  constructor(relay, closed) {
    this.#relay = relay
    relay.on('event', this.#add)
    closed.then(() => this.#finish())
  }

  [Symbol.asyncIterator]() {
    return this
  }

  /** @return {Promise<{done: Boolean, value: Object}>} the next event */
  next() {
    if (this.#waiting.length > 0) {
      return Promise.resolve({ done: false, value: this.#waiting.shift() })
    }
    if (this.#ended) return Promise.resolve(DONE)
    return new Promise((resolve) => this.#takers.push(resolve))
  }

  /**
   * Takes no more events, as a loop does that is left.
   *
   * @return {Promise<{done: Boolean, value: *}>}
   */
  return(value) {
    this.#finish()
    this.#waiting.takeAll()
    return Promise.resolve({ done: true, value })
  }

  #add = (event) => {
    const taker = this.#takers.shift()
    if (taker !== undefined) {
      taker({ done: false, value: event })
      return
    }
    // Who does not come back for them loses the oldest ones.
    if (this.#waiting.length === MOST_WAITING) this.#waiting.shift()
    this.#waiting.push(event)
  }

  #finish() {
    if (this.#ended) return
    this.#ended = true
    this.#relay.off('event', this.#add)
    for (const taker of this.#takers.splice(0)) taker(DONE)
  }
}

module.exports = Happenings
