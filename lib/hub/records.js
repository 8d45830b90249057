'use strict'

// What both ends of the data plane share. A test compares this list with the native one.

// The kinds of record, as in crates/hub/src/record.rs.
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
const EXCHANGE = 14

/** Words of a record in the table. */
const RECORD_WORDS = 4

/** `STAGE` of crates/hub/src/rows.rs: the bytes of small messages of one call. */
const STAGE_BYTES = 120 * 1024

// The third word of a frame in the ring, as in crates/hub/src/ring.rs.
const OPCODE_SHIFT = 24
const FIN = 1 << 28
const ACKNOWLEDGE = 1 << 29
const UNMASKED = 1 << 30
const APPENDED = 1 << 31

/** Words before the payload of a frame in the ring. */
const FRAME_WORDS = 3

/** At least INLINE_CONNECTIONS of src/hub/sending.rs. */
const RESULT_PAIRS = 64

/** In place of a count of records: more is there. Below it: so many pairs stand in the results. */
const MORE = -1

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
/** What a hub calls on a listener's gateway beside `kMessage`. */
const kExchange = Symbol('exchange')

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
  EXCHANGE,
  RECORD_WORDS,
  STAGE_BYTES,
  OPCODE_SHIFT,
  FIN,
  ACKNOWLEDGE,
  UNMASKED,
  APPENDED,
  FRAME_WORDS,
  RESULT_PAIRS,
  MORE,
  kMessage,
  kPing,
  kPong,
  kClose,
  kAcknowledged,
  kEnded,
  kFinished,
  kClosed,
  kEvent,
  kExchange,
}
