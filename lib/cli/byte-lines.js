'use strict'

const EventEmitter = require('node:events')

const LF = 0x0a
const CR = 0x0d

/** What a line may hold: no peer takes a longer message, unless it has raised the usual `maxPayload`. */
const LONGEST = 100 * 1024 * 1024

/** What a chunk takes beside its bytes, for an input that comes byte by byte. */
const CHUNK_COST = 256

/**
 * The lines of an input as bytes, with the interface of `readline` as far as it is used here. Readline
 * itself takes its input for UTF-8 and replaces what is not, and ends lines at U+2028 and U+2029 too.
 * `'tooLong'` comes instead of a line that is longer than `longest`, and ends the reading.
 *
 * @extends EventEmitter
 */
class ByteLines extends EventEmitter {
  terminal = false
  #input
  #longest
  #parts = []
  /** What the parts take. */
  #size = 0
  #closed = false

  /**
   * @param {Readable} input
   * @param {Number} [longest] How many bytes a line may take
   */
  constructor(input, longest = LONGEST) {
    super()
    this.#input = input
    this.#longest = longest
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
      if (!this.#take(chunk.subarray(start, end))) return
      this.#line()
    }
    if (start < chunk.length) this.#take(chunk.subarray(start))
  }

  /** @return {Boolean} Whether the line may have this part as well, and anybody still reads */
  #take(part) {
    if (this.#closed) return false
    this.#size += part.length + CHUNK_COST
    if (this.#size > this.#longest) {
      this.#parts = []
      this.emit('tooLong')
      this.close()
      return false
    }
    this.#parts.push(part)
    return true
  }

  /** Emits what has come since the last line, without the CR before its LF. */
  #line() {
    const line = Buffer.concat(this.#parts)
    this.#parts = []
    this.#size = 0
    if (this.#closed) return
    this.emit('line', line.at(-1) === CR ? line.subarray(0, -1) : line)
  }
}

module.exports = ByteLines
