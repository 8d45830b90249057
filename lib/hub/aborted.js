'use strict'

const {
  kMessage,
  kPing,
  kPong,
  kClose,
  kAcknowledged,
  kEnded,
  kFinished,
  kClosed,
  kEvent,
} = require('./records')

/** Stands where a socket was given up while it was connecting: drops it if it opens all the same. */
class Aborted {
  #link

  /** @param {import('./link')} link of the socket that was given up */
  constructor(link) {
    this.#link = link
  }

  [kEvent](event) {
    if (event.type === 'open') this.#link.destroy()
  }

  [kMessage]() {}
  [kPing]() {}
  [kPong]() {}
  [kClose]() {}
  [kAcknowledged]() {}
  [kEnded]() {}
  [kFinished]() {}
  [kClosed]() {}
}

module.exports = Aborted
