'use strict'

/** How many numbers there are: `NUMBER_BITS` of crates/hub/src/links.rs. */
const NUMBERS = 2 ** 21

/**
 * What a socket holds of its connection: the verbs that reach the native side.
 *
 * A link is for one connection and never reaches another. Its verbs do nothing before the connection
 * is dialled and after it is gone. The connection's number is given to another one only after
 * `kClosed` or a `failed` event of this socket has returned; the native side checks the generation
 * beside the number all the same.
 */
class Link {
  /** What the native side gave; -1 while there is no connection. */
  handle = -1
  number = 0
  generation = 0
  #hub

  /** @param {import('./hub').Hub} hub */
  constructor(hub) {
    this.#hub = hub
  }

  /**
   * The native side has a connection for this link.
   *
   * @param {number} handle
   * @package
   */
  bind(handle) {
    this.handle = handle
    this.number = handle % NUMBERS
    this.generation = Math.floor(handle / NUMBERS)
  }

  /** The connection is gone. @package */
  unbind() {
    this.handle = -1
  }

  /** Whether there is a connection that the verbs reach. @returns {boolean} */
  get isBound() {
    return this.handle !== -1
  }

  /**
   * Queues a frame; it leaves with all others of this turn.
   *
   * @param {number} opcode
   * @param {boolean} fin
   * @param {boolean} masked
   * @param {boolean} acknowledge whether the socket wants to know (`kAcknowledged`) when it was
   *   written
   * @param {Uint8Array|string} payload strings are sent as UTF-8; copied before this returns
   */
  send(opcode, fin, masked, acknowledge, payload) {
    if (this.handle !== -1) this.#hub.send(this, opcode, fin, masked, acknowledge, payload)
  }

  /** Bytes that have not yet been handed to the operating system. @returns {number} */
  buffered() {
    return this.handle === -1 ? 0 : this.#hub.buffered(this)
  }

  /** Stops reading, or goes on. @param {boolean} pause */
  pause(pause) {
    if (this.handle !== -1) this.#hub.pause(this, pause)
  }

  /** Shuts the sending side after what is queued; `kFinished` follows. */
  end() {
    if (this.handle !== -1) this.#hub.end(this)
  }

  /** Drops the connection at once; `kClosed` follows. */
  destroy() {
    if (this.handle !== -1) this.#hub.destroy(this)
  }

  /** Gives up a connection that is being opened. The socket hears nothing of it any more. */
  abort() {
    if (this.handle !== -1) this.#hub.abort(this)
  }

  /** Calls a function of the user's; what it throws becomes an uncaught exception. */
  guard(fn, ...args) {
    this.#hub.guard(fn, ...args)
  }
}

module.exports = Link
