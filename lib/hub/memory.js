'use strict'

const { FastBuffer, allocUnsafeSlow, copyInto } = require('./bytes')

/** Bytes of a socket's first piece of memory, and of its largest. Each is twice the one before. */
const FIRST = 1024
const LARGEST = 16 * 1024

/** Larger runs get a piece of exactly their size, of which nothing is left for the next. */
const SHARE = 4 * 1024

/**
 * Bytes of the pieces that sockets have begun and not used up, for all sockets together: a first piece
 * for each of 16,384. With 4 MiB, 5,000 sockets that took turns got a new piece for every message,
 * which was half of what an echo cost the JavaScript thread.
 */
const MOST = 16 * 1024 * 1024

/** Up to so many bytes a loop over words is quicker than a call. */
const LOOP = 256

/**
 * Memory for small messages: each socket its own, since whoever gets a message may move its memory
 * away, and no other socket may notice. It is JavaScript's, so that moving it is harmless.
 *
 * A piece is replaced when it is used up or was moved. Those that are begun are bounded: pieces grow
 * as long as there is room, and sockets that rest lose theirs when others need one.
 */
class Memory {
  /** Where the native side puts the bytes of a delivery. */
  stage
  #words
  #pieces = []
  #begun = 0

  /** @param {number} size bytes of the stage */
  constructor(size) {
    this.stage = allocUnsafeSlow(size)
    this.#words = new Int32Array(this.stage.buffer)
  }

  /**
   * Copies bytes of the stage to memory of a socket. They are at `piece.at`.
   *
   * @param {number} number of the socket
   * @param {number} start in the stage; a multiple of 8 where a run begins
   * @param {number} size
   * @returns {{buffer: ArrayBuffer, at: number}} good until the next call
   */
  take(number, start, size) {
    let piece = this.#pieces[number]
    if (piece === undefined || piece.used + size > piece.bytes.length) {
      piece = this.#replace(number, piece, size)
    }
    const at = piece.used
    piece.at = at
    piece.used = (at + size + 7) & ~7
    // A run that a listener's exception has cut goes on at any byte.
    if (size <= LOOP && (start & 3) === 0) {
      // Both begin at a word, and the native side fills up the last word with zeros.
      const words = this.#words
      const own = piece.words
      const end = (at + size + 3) >> 2
      for (let to = at >> 2, from = start >> 2; to < end; to++, from++) own[to] = words[from]
    } else {
      copyInto(piece.bytes, new FastBuffer(this.stage.buffer, start, size), at)
    }
    return piece
  }

  /** A socket is gone. @param {number} number */
  drop(number) {
    const piece = this.#pieces[number]
    if (piece === undefined) return
    this.#begun -= piece.size
    this.#pieces[number] = undefined
  }

  /** The piece was never begun, is used up, or was moved away: then its views are empty. */
  #replace(number, old, need) {
    this.drop(number)
    let size = old === undefined ? FIRST : Math.min(old.size * 2, LARGEST)
    // A crowd keeps small pieces: to lose all of them again and again would cost more.
    if (this.#begun + size > MOST) size = FIRST
    if (need > SHARE || need > size) size = (need + 7) & ~7
    if (this.#begun + size > MOST) {
      this.#pieces = []
      this.#begun = 0
    }
    const bytes = allocUnsafeSlow(size)
    const { buffer } = bytes
    const piece = { size, bytes, words: new Int32Array(buffer), buffer, used: 0, at: 0 }
    this.#pieces[number] = piece
    this.#begun += size
    return piece
  }
}

module.exports = Memory
