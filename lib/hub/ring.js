'use strict'

const { nextTick, queueMicrotask } = require('../globals')
const { allocUnsafeSlow, copyInto, lengthOf, toBuffer, writeText } = require('./bytes')
const {
  OPCODE_SHIFT,
  FIN,
  ACKNOWLEDGE,
  UNMASKED,
  APPENDED,
  FRAME_WORDS,
  RESULT_PAIRS,
  kAcknowledged,
} = require('./records')

const RING_BYTES = 256 * 1024

/** Payloads above this many bytes cross alone: copying them twice costs more than a call. */
const SMALL = 4 * 1024

/** Payloads from this many bytes on are started on their own, not with the others of the turn. */
const HUGE = 128 * 1024

/** Gathers the frames that sockets send, and hands them to the native side once a turn. */
class Ring {
  /** The native side reads frames here. */
  memory = allocUnsafeSlow(RING_BYTES)
  /** It tells here how many frames of which connections were written at once. The first word tells it what
   * a delivery has left in the ring. */
  results = new Uint32Array(RESULT_PAIRS * 2)
  #native
  #sockets
  #words = new Uint32Array(this.memory.buffer)
  #used = 0
  #holdsFrames = false
  /** The link whose large frames the last mark in the ring is for. */
  #marked = null
  #scheduled = false
  #flushSoon = () => this.flush()

  /** @param {object[]} sockets by the numbers of their links */
  constructor(sockets) {
    this.#sockets = sockets
  }

  /** @param {object} native the hub of the native side, which knows this memory */
  open(native) {
    this.#native = native
  }

  /**
   * See `Link.send`.
   *
   * @param {import('./link')} link
   * @param {number} opcode
   * @param {boolean} fin
   * @param {boolean} masked
   * @param {boolean} acknowledge
   * @param {Uint8Array|string} payload
   */
  send(link, opcode, fin, masked, acknowledge, payload) {
    let flags = opcode << OPCODE_SHIFT
    if (fin) flags |= FIN
    if (acknowledge) flags |= ACKNOWLEDGE
    if (!masked) flags |= UNMASKED

    const isText = typeof payload === 'string'
    // A UTF-16 unit takes three bytes at the most.
    const most = isText ? payload.length * 3 : lengthOf(payload)
    if (most > SMALL) {
      this.#sendLarge(link, flags, isText ? toBuffer(payload) : payload)
      return
    }
    if (this.#used + FRAME_WORDS * 4 + most + 3 > RING_BYTES) this.flush()
    const start = this.#used
    const at = start + FRAME_WORDS * 4
    let length = most
    if (isText) length = most === 0 ? 0 : writeText(this.memory, payload, at)
    else copyInto(this.memory, payload, at)
    this.#mark(start >> 2, link, flags | length)
    this.#used = at + ((length + 3) & ~3)
    this.#holdsFrames = true
    this.#flushLater()
  }

  /** A delivery begins, which leaves its frames when it is over: until then no microtask has to. */
  wait() {
    this.#scheduled = true
  }

  /** A delivery is over: the native side, which called it, flushes as soon as it returns. */
  leave() {
    this.results[0] = this.#take()
  }

  /** Hands the queued frames to the native side now. */
  flush() {
    const used = this.#take()
    if (used > 0) this.acknowledge(this.#native.flush(used))
  }

  /** The native side has written frames at once. @param {number} pairs how many stand in `results` */
  acknowledge(pairs) {
    for (let i = 0; i < pairs; i++) {
      this.#acknowledgeSoon(this.results[i * 2], this.results[i * 2 + 1])
    }
  }

  /** How many bytes of frames are in the ring, which begins anew. */
  #take() {
    // Here, so that whatever flushes mends a microtask that was lost. Within a delivery it costs one.
    this.#scheduled = false
    const used = this.#used
    this.#used = 0
    this.#holdsFrames = false
    this.#marked = null
    return used
  }

  /** Writes the words that a frame or a mark begins with. */
  #mark(at, link, flags) {
    const words = this.#words
    words[at] = link.number
    words[at + 1] = link.generation
    words[at + 2] = flags
  }

  #sendLarge(link, flags, payload) {
    // Frames that were queued before leave before; marks of other large ones may stay.
    if (this.#holdsFrames) this.flush()
    if (lengthOf(payload) >= HUGE) {
      // Written from now on by the I/O thread, while the next one is prepared here.
      const count = this.#native.sendLarge(link.handle, flags, payload, true)
      if (count > 0) this.#acknowledgeSoon(link.number, count)
      return
    }
    this.#native.sendLarge(link.handle, flags, payload, false)
    if (this.#used > 0 && this.#marked === link) return
    if (this.#used + FRAME_WORDS * 4 > RING_BYTES) this.flush()
    this.#mark(this.#used >> 2, link, APPENDED)
    this.#used += FRAME_WORDS * 4
    this.#marked = link
    this.#flushLater()
  }

  #flushLater() {
    if (this.#scheduled) return
    this.#scheduled = true
    queueMicrotask(this.#flushSoon)
  }

  /** Never within `send`: callbacks come after it returned. */
  #acknowledgeSoon(number, count) {
    const socket = this.#sockets[number]
    if (socket !== undefined) nextTick(acknowledge, socket, count)
  }
}

function acknowledge(socket, count) {
  socket[kAcknowledged](count)
}

module.exports = Ring
