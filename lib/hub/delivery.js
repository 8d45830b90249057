'use strict'

const { scrub } = require('../context')
const { now, setImmediate } = require('../globals')
const native = require('../native')
const { FastBuffer } = require('./bytes')
const Memory = require('./memory')
const {
  TEXT,
  BINARY,
  LARGE_TEXT,
  LARGE_BINARY,
  PING,
  PONG,
  CLOSE,
  CLOSE_WITHOUT_CODE,
  ACKNOWLEDGED,
  ENDED,
  FINISHED,
  CLOSED,
  EVENT,
  EXCHANGE,
  RECORD_WORDS,
  STAGE_BYTES,
  MORE,
  kMessage,
  kPing,
  kPong,
  kClose,
  kAcknowledged,
  kEnded,
  kFinished,
  kClosed,
  kExchange,
} = require('./records')

const TABLE_RECORDS = 4096

/** Milliseconds that a burst of events, such as new senders, may keep the event loop. */
const TURN_MS = 2

/** The code of a close frame that has none. */
const NO_CODE = 1005

/** Reads the records that the native side queued, and hands them to their sockets. */
class Delivery {
  /** Signed, so that V8 has no words to fear that are too large for a small integer. */
  #table = new Int32Array(TABLE_RECORDS * RECORD_WORDS)
  #memory = new Memory(STAGE_BYTES)
  #native
  #sockets
  #owner
  #deliverSoon = () => this.#native.deliver()

  /**
   * V8 counts the bytes that young buffers of ours refer to, but looks at the count only when it
   * allocates the memory of a buffer itself. Without such an allocation now and then it would never
   * collect young garbage for them, and run a full collection for every 64 MiB received instead.
   */
  nudge = null

  /**
   * @param {object[]} sockets by the numbers of their links
   * @param {object} owner
   * @param {() => void} owner.over called after each delivery, for what listeners have sent
   * @param {(number: number) => void} owner.closed a connection is gone, and its socket knows
   * @param {(number: number, event: object) => void} owner.event something rare happened to the
   *   socket with that number, or to a listener when it is 0
   */
  constructor(sockets, owner) {
    this.#sockets = sockets
    this.#owner = owner
  }

  /** The memory that the native side writes to. @returns {{table: Uint32Array, stage: Buffer}} */
  get memory() {
    return { table: new Uint32Array(this.#table.buffer), stage: this.#memory.stage }
  }

  /** @param {object} hub the hub of the native side, which knows this memory */
  open(hub) {
    this.#native = hub
  }

  /** A number is free: nothing is kept for it. @param {number} number */
  forget(number) {
    this.#memory.drop(number)
  }

  /**
   * Reads up to `count` records from the table. It stops early when a burst of events has taken its
   * time, and when a server went online or offline: a program that waited for the one may now wait for
   * the other, which can be the next record. What a listener throws becomes an uncaught exception, and
   * the records after it are read all the same.
   *
   * @param {number} count or `MORE`
   * @param {ArrayBuffer[]} [lent] memory that records refer to by number, from 1 on
   * @param {ArrayBuffer[]} [large] messages with memory of their own
   * @param {string[]} [events] in JSON
   * @returns {number} how many records were read
   */
  deliver(count, lent, large, events) {
    if (count === MORE) {
      // Other events of the loop have their turn first.
      setImmediate(this.#deliverSoon)
      return 0
    }
    if (lent !== undefined || large !== undefined) this.nudge = new ArrayBuffer(8)
    scrub()
    const turn = { index: 0, until: 0, count, lent, large, events }
    let done = false
    try {
      while (!done) {
        try {
          this.#read(turn)
          done = true
        } catch (error) {
          native.raise(error)
        }
      }
    } finally {
      this.#owner.over()
    }
    return turn.index
  }

  #read(turn) {
    const table = this.#table
    const sockets = this.#sockets
    const { count, events } = turn
    while (turn.index < count) {
      const at = turn.index * RECORD_WORDS
      const id = table[at]
      const word = table[at + 1]
      const offset = table[at + 2]
      const length = table[at + 3]
      const socket = sockets[id]
      switch (word & 0xff) {
        case TEXT:
        case BINARY:
          if (word >>> 8 === 0) this.#staged(turn, socket, id)
          else this.#lent(turn, socket, id, word)
          continue
      }
      turn.index++
      switch (word & 0xff) {
        case LARGE_TEXT:
        case LARGE_BINARY: {
          const data = new FastBuffer(turn.large[offset])
          const ends = length === 0 ? undefined : JSON.parse(events[length - 1])
          socket[kMessage](data, (word & 0xff) === LARGE_BINARY, ends)
          break
        }
        case PING:
          socket[kPing](this.#bytes(id, offset, length))
          break
        case PONG:
          socket[kPong](this.#bytes(id, offset, length))
          break
        case CLOSE: {
          // The code lies before the reason.
          const payload = this.#bytes(id, offset - 2, length + 2)
          socket[kClose]((payload[0] << 8) | payload[1], payload.subarray(2))
          break
        }
        case CLOSE_WITHOUT_CODE:
          socket[kClose](NO_CODE, new FastBuffer(0))
          break
        case ACKNOWLEDGED:
          socket[kAcknowledged](length)
          break
        case ENDED:
          socket[kEnded]()
          break
        case FINISHED:
          socket[kFinished]()
          break
        case CLOSED:
          try {
            socket[kClosed]()
          } finally {
            this.#owner.closed(id)
          }
          break
        case EVENT: {
          if (turn.until === 0) turn.until = now() + TURN_MS
          const event = JSON.parse(events[offset])
          this.#owner.event(id, event)
          if (event.type === 'offline' || event.type === 'online' || now() > turn.until) return
          break
        }
        case EXCHANGE:
          // None once its server has ended.
          socket?.[kExchange](offset, length)
          break
        default:
          throw new Error(`unknown record ${word} of the native side`)
      }
    }
  }

  /** Hands on a long run of messages for one socket: the hot loop of a flood. */
  #lent(turn, socket, id, word) {
    const table = this.#table
    const buffer = turn.lent[(word >>> 8) - 1]
    // To ask the buffer itself whether it was moved costs a call for each message. It may have been
    // moved before: a run that a listener's exception has cut goes on here.
    const whole = new FastBuffer(buffer.byteLength > 0 ? buffer : 0)
    const end = turn.count * RECORD_WORDS
    const text = (word & ~0xff) | TEXT
    const binary = (word & ~0xff) | BINARY
    for (let at = turn.index * RECORD_WORDS; at < end; at += RECORD_WORDS) {
      word = table[at + 1]
      if (table[at] !== id || (word !== binary && word !== text)) return
      const length = table[at + 3]
      let data
      if (length === 0) data = new FastBuffer(0)
      else if (whole.length > 0) data = new FastBuffer(buffer, table[at + 2], length)
      // A listener has moved the memory away with an earlier message.
      else data = new FastBuffer(this.#native.copy(turn.index))
      turn.index++
      socket[kMessage](data, word === binary)
    }
  }

  /** Copies a short run of messages for one socket to memory of its own, and hands them on. */
  #staged(turn, socket, id) {
    const table = this.#table
    const first = turn.index * RECORD_WORDS
    const end = turn.count * RECORD_WORDS
    let last = first
    for (let at = first + RECORD_WORDS; at < end; at += RECORD_WORDS) {
      const word = table[at + 1]
      if (table[at] !== id || (word !== TEXT && word !== BINARY)) break
      last = at
    }
    const start = table[first + 2]
    const size = table[last + 2] + table[last + 3] - start
    const piece = size === 0 ? undefined : this.#memory.take(id, start, size)
    const buffer = piece?.buffer
    const whole = piece?.bytes
    const shift = piece === undefined ? 0 : piece.at - start
    for (let at = first; at <= last; at += RECORD_WORDS) {
      const length = table[at + 3]
      let data
      if (length === 0) data = new FastBuffer(0)
      else if (whole.length > 0) data = new FastBuffer(buffer, table[at + 2] + shift, length)
      // A listener has moved the memory away with an earlier message.
      else data = new FastBuffer(this.#native.copy(turn.index))
      turn.index++
      socket[kMessage](data, table[at + 1] === BINARY)
    }
  }

  /** The staged bytes of a control frame, in memory of its socket. */
  #bytes(id, start, size) {
    if (size === 0) return new FastBuffer(0)
    // The stage is aligned where a run begins, and each of these is one.
    const { buffer, at } = this.#memory.take(id, start, size)
    return new FastBuffer(buffer, at, size)
  }
}

module.exports = Delivery
