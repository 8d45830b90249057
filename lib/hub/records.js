'use strict'

// The kinds of record, as in src/hub/inbox.rs.
const TEXT = 1
const BINARY = 2
const LARGE_TEXT = 3
const LARGE_BINARY = 4
const PING = 5
const PONG = 6
const CLOSE = 7
const CLOSE_WITHOUT_CODE = 8
const ACKNOWLEDGED = 9
const ENDED = 10
const FINISHED = 11
const CLOSED = 12
const EVENT = 13
const SLAB_DONE = 14

// The second word of a frame in the ring, as in src/hub/mod.rs.
const OPCODE_SHIFT = 24
const FIN = 1 << 28
const ACKNOWLEDGE = 1 << 29
const UNMASKED = 1 << 30
const APPENDED = 1 << 31

/** What a hub calls on its sockets. */
const kMessage = Symbol('message')
const kPing = Symbol('ping')
const kPong = Symbol('pong')
const kClose = Symbol('close')
const kAcknowledged = Symbol('acknowledged')
const kEnded = Symbol('ended')
const kFinished = Symbol('finished')
const kClosed = Symbol('closed')
const kEvent = Symbol('event')

module.exports = {
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
  SLAB_DONE,
  OPCODE_SHIFT,
  FIN,
  ACKNOWLEDGE,
  UNMASKED,
  APPENDED,
  kMessage,
  kPing,
  kPong,
  kClose,
  kAcknowledged,
  kEnded,
  kFinished,
  kClosed,
  kEvent,
}
