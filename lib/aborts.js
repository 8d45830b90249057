'use strict'

const { nextTick } = require('./globals')

/** What is to be done for each signal. */
const waiting = new WeakMap()

/**
 * Does something when a signal is aborted. However many wait for one signal, it gets one listener: Node
 * takes more than ten for a leak, and one signal may well end all sockets of a program.
 *
 * @param {AbortSignal} signal One that is not aborted yet
 * @param {Function} act
 * @return {Function} Takes it back
 */
function onAbort(signal, act) {
  if (!waiting.has(signal)) waiting.set(signal, new Acts(signal))
  return waiting.get(signal).add(act)
}

/** What waits for one signal. */
class Acts {
  #signal
  #acts = new Set()

  /** @param {AbortSignal} signal */
  constructor(signal) {
    this.#signal = signal
    signal.addEventListener('abort', this.#abort, { once: true })
  }

  /**
   * @param {Function} act
   * @return {Function} Takes it back
   */
  add(act) {
    const entry = { act } // the same function may wait twice
    this.#acts.add(entry)
    return () => {
      if (this.#acts.delete(entry) && this.#acts.size === 0) this.#end()
    }
  }

  #abort = () => {
    const acts = [...this.#acts]
    this.#acts.clear()
    this.#end()
    for (const { act } of acts) {
      try {
        act()
      } catch (error) {
        // As with listeners of their own: it is told, and holds up nobody else.
        nextTick(() => {
          throw error
        })
      }
    }
  }

  #end() {
    waiting.delete(this.#signal)
    this.#signal.removeEventListener('abort', this.#abort)
  }
}

module.exports = { onAbort }
