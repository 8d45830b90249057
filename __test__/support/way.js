'use strict'

const { once } = require('node:events')
const net = require('node:net')

/** A way to the relay that can swallow whatever goes over it. */
class Way {
  #server = net.createServer((near) => this.#join(near))
  #ends = []

  /** Whether bytes vanish. */
  swallows = false

  /** @param {Number} port Of the relay; may be set anew, for connections to come */
  constructor(port) {
    this.port = port
  }

  async open() {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  /** The address, led over this way. */
  lead(address) {
    const url = new URL(address)
    url.hostname = '127.0.0.1'
    url.port = this.#server.address().port
    return url.href
  }

  #join(near) {
    const far = net.connect(this.port, '127.0.0.1')
    this.#ends.push(near, far)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ]) {
      from.on('data', (bytes) => this.swallows || to.write(bytes))
      from.on('close', () => this.swallows || to.destroy())
      from.on('error', () => {})
    }
  }

  close() {
    for (const end of this.#ends) end.destroy()
    return new Promise((resolve) => this.#server.close(resolve))
  }
}

module.exports = Way
