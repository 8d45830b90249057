'use strict'

const { clearTimeout, setTimeout } = require('../globals')
const { hintOf } = require('../hints')

/** How long a server may be lost before somebody is told, in milliseconds. */
const PATIENCE = 60_000

/**
 * Sees to it that a server which cannot listen is not silent about it. A program that listens for
 * `'error'` or `'offline'` knows; any other is warned, once for each time that the server is down.
 */
class Silence {
  #server
  #patience
  #wasOnline = false
  #told = false
  #timer = null
  #last = null

  /**
   * @param {RelayedServer} server
   * @param {Number} [patience] Milliseconds that a loss may last before it is told
   */
  constructor(server, patience = PATIENCE) {
    this.#server = server
    this.#patience = patience
  }

  /** The control channel is up. */
  online() {
    this.#wasOnline = true
    this.stop()
  }

  /** The server ends because the program wants it to. */
  stop() {
    clearTimeout(this.#timer)
    this.#timer = null
    this.#told = false
  }

  /**
   * The control channel is down, or could not be opened.
   *
   * @param {Error} error
   * @param {Object} next
   * @param {Number} next.delay Milliseconds until the next try
   * @param {Boolean} next.final There is none
   */
  offline(error, { delay, final }) {
    if (this.#told) return
    if (final) this.#tell(error, 'It does not try again.', final)
    else if (!this.#wasOnline)
      this.#tell(error, `It tries again in ${delay} ms, and goes on trying.`)
    else this.#wait(error)
  }

  #wait(error) {
    this.#last = error
    if (this.#timer !== null) return
    this.#timer = setTimeout(() => this.#tell(this.#last, 'It goes on trying.'), this.#patience)
    this.#timer.unref?.()
  }

  #tell(error, next, final = false) {
    clearTimeout(this.#timer)
    this.#timer = null
    const server = this.#server
    if (server.listenerCount('error') > 0 || server.listenerCount('offline') > 0) return
    this.#told = true
    const state = this.#wasOnline ? 'is offline' : 'cannot listen'
    const cause = error.cause?.code ? ` (${error.cause.code})` : ''
    const hint = error.hint ?? hintOf(error) ?? 'docs/errors.md tells what the code means.'
    const what = error.message.replace(hint, '').replace(/\.? ?$/, '')
    const text = [
      `The RelayedServer for '${server.path}' ${state}: ${what}${cause}.`,
      next,
      hint,
      "Add an 'error' or 'offline' listener to handle this in the program.",
    ]
    process.emitWarning(text.join(' '), { type: 'RelayedServerWarning', code: error.code })
    if (final) this.#failAtTheEnd()
  }

  /** A program that did nothing else than listen must not end as if all were well. */
  #failAtTheEnd() {
    process.once('beforeExit', () => {
      if (this.#server.status === 'offline') process.exitCode ??= 1
    })
  }
}

module.exports = Silence
