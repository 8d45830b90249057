'use strict'

const EventEmitter = require('node:events')

const LF = 0x0a
const CR = 0x0d

/**
 * The lines of an input as bytes, with the interface of `readline` as far as it is used here. Readline
 * itself takes its input for UTF-8 and replaces what is not.
 *
 * @extends EventEmitter
 */
class ByteLines extends EventEmitter {
  terminal = false
  #input
  #parts = []
  #closed = false

  /** @param {Readable} input */
  constructor(input) {
    super()
    this.#input = input
    input.on('data', (chunk) => this.#read(chunk))
    input.on('end', () => {
      if (this.#parts.length > 0) this.#line()
      this.close()
    })
    input.on('error', () => this.close())
  }

  pause() {
    this.#input.pause()
  }

  resume() {
    if (!this.#closed) this.#input.resume()
  }

  close() {
    if (this.#closed) return
    this.#closed = true
    this.#input.pause()
    this.emit('close')
  }

  #read(chunk) {
    let start = 0
    for (let end; (end = chunk.indexOf(LF, start)) !== -1; start = end + 1) {
      this.#parts.push(chunk.subarray(start, end))
      this.#line()
    }
    if (start < chunk.length) this.#parts.push(chunk.subarray(start))
  }

  /** Emits what has come since the last line, without the CR before its LF. */
  #line() {
    const line = Buffer.concat(this.#parts)
    this.#parts = []
    if (this.#closed) return
    this.emit('line', line.at(-1) === CR ? line.subarray(0, -1) : line)
  }
}

module.exports = ByteLines
