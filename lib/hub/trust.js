'use strict'

const { createHash } = require('node:crypto')

/** Different TLS options that are kept prepared. */
const KEPT = 64

/** For addresses without TLS. */
const NO_TLS = { ca: [], rejectUnauthorized: true }

/** Prepares TLS options in the native side: certificates are parsed once for equal options. */
class Trust {
  #native
  /** Digests of options that were seen. */
  #digests = new WeakMap()
  /** The numbers of prepared ones by digest, the latest used last. */
  #numbers = new Map()

  /** @param {object} native the hub of the native side */
  constructor(native) {
    this.#native = native
  }

  /**
   * @param {object} [tls] what `tlsSpec` of lib/options/tls.js gives; hashed once for each object
   * @returns {number} what stands for the options in other calls
   */
  prepare(tls = NO_TLS) {
    let digest = this.#digests.get(tls)
    if (digest === undefined) {
      // Not the text itself, which holds a key.
      digest = createHash('sha256').update(JSON.stringify(tls)).digest('base64')
      this.#digests.set(tls, digest)
    }
    let number = this.#numbers.get(digest)
    if (number === undefined) {
      number = this.#native.trust(tls)
      if (this.#numbers.size >= KEPT) {
        const [oldest, prepared] = this.#numbers.entries().next().value
        this.#numbers.delete(oldest)
        this.#native.distrust(prepared)
      }
    } else {
      this.#numbers.delete(digest)
    }
    this.#numbers.set(digest, number)
    return number
  }
}

module.exports = Trust
