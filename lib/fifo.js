'use strict'

/** Taken entries at the front are dropped when they are at least so many, and half of the list. */
const SLACK = 64

/**
 * A queue whose `push` and `shift` take constant time, however long it is. `Array.prototype.shift`
 * moves all that is behind.
 */
class Fifo {
  #items = []
  #first = 0

  /** @type {Number} */
  get length() {
    return this.#items.length - this.#first
  }

  /** @param {*} item Goes to the end */
  push(item) {
    this.#items.push(item)
  }

  /** @return {*} The item at the front, which leaves the queue; `undefined` when it is empty */
  shift() {
    if (this.#first === this.#items.length) return undefined
    const item = this.#items[this.#first]
    this.#items[this.#first++] = undefined
    if (this.#first === this.#items.length) {
      this.#items.length = 0
      this.#first = 0
    } else if (this.#first >= SLACK && this.#first * 2 >= this.#items.length) {
      this.#items.splice(0, this.#first)
      this.#first = 0
    }
    return item
  }

  /** @return {Array} All items in their order; the queue is empty afterwards */
  takeAll() {
    const items = this.#items.slice(this.#first)
    this.#items = []
    this.#first = 0
    return items
  }
}

module.exports = Fifo
