'use strict'

// The global is an accessor, which costs at every use.
const { Buffer } = require('node:buffer')
const { createHash } = require('node:crypto')

const native = require('../native')
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
} = require('./records')

const FastBuffer = Buffer[Symbol.species]
const EMPTY_BUFFER = Buffer.alloc(0)

const RECORD_WORDS = 4
const TABLE_RECORDS = 4096
/** At least INLINE_CONNECTIONS of src/hub/mod.rs. */
const RESULT_PAIRS = 8
const RING_BYTES = 256 * 1024
const FRAME_WORDS = 2

/** Payloads above this many bytes cross alone: copying them twice costs more than a call. */
const SMALL = 4 * 1024

/** Payloads from this many bytes on are started on their own, not with the others of the turn. */
const HUGE = 128 * 1024

/** Milliseconds that a burst of events, such as new senders, may keep the event loop. */
const TURN_MS = 2

/** Different TLS options that are kept prepared. */
const TRUSTED = 64

/** For addresses without TLS. */
const NO_TLS = { ca: [], rejectUnauthorized: true }

let current = null

/**
 * The JavaScript end of the data plane: reads the records that the I/O thread queued, and gathers
 * frames for it. One per environment, since each worker thread loads its own copy of this module.
 */
class Hub {
  #native
  /** Signed, so that V8 has no words to fear that are too large for a small integer. */
  #table = new Int32Array(TABLE_RECORDS * RECORD_WORDS)
  #results = new Uint32Array(RESULT_PAIRS * 2)
  #ring = Buffer.allocUnsafeSlow(RING_BYTES)
  #words = new Uint32Array(this.#ring.buffer)
  #used = 0
  #holdsFrames = false
  /** The socket whose large frames the last mark in the ring is for. */
  #marked = 0
  #scheduled = false
  #slabs = []
  #sockets = [undefined]
  #freeIds = []
  #listeners = new Map()
  /** Digests of TLS options, and the numbers of prepared ones by digest, the latest used last. */
  #digests = new WeakMap()
  #trusted = new Map()
  #nextListener = 1
  #holds = 0

  /**
   * V8 counts the bytes that young buffers of ours refer to, but looks at the count only when it
   * allocates the memory of a buffer itself. Without such an allocation now and then it would never
   * collect young garbage for them, and run a full collection for every 64 MiB received instead.
   */
  nudge = null

  #flushSoon = () => {
    this.#scheduled = false
    this.flush()
  }
  #deliverSoon = () => this.#native.deliver()

  /**
   * @param {boolean} [share=true] whether views may show memory that the native side owns; where
   *   the platform forbids it they never do
   */
  constructor(share = true) {
    this.#native = new native.Hub(
      new Uint32Array(this.#table.buffer),
      this.#results,
      this.#ring,
      this.#slabs,
      (count, large, events) => this.#deliver(count, large, events),
      share,
    )
  }

  /**
   * The hub of this environment, created on first use.
   *
   * @returns {Hub}
   */
  static current() {
    current ??= new Hub()
    return current
  }

  /**
   * Starts a listener. It keeps the process alive until its `closed` event, unless unreferenced.
   *
   * @param {object} spec what to listen on; see `ListenSpec` in native/binding.d.ts
   * @param {(event: object) => void} onEvent
   * @returns {number} the listener's number
   */
  listen(spec, onEvent) {
    const { tls, ...rest } = spec
    const id = this.#nextListener++
    this.#native.listen(id, { ...rest, trust: this.#trust(tls) })
    this.#listeners.set(id, { onEvent, held: true })
    this.#hold()
    return id
  }

  /** Lets the process end although this listener is open. @param {number} id */
  unrefListener(id) {
    const listener = this.#listeners.get(id)
    if (listener?.held) {
      listener.held = false
      this.#release()
    }
  }

  /** Keeps the process alive for this listener again. @param {number} id */
  refListener(id) {
    const listener = this.#listeners.get(id)
    if (listener && !listener.held) {
      listener.held = true
      this.#hold()
    }
  }

  /**
   * Answers a `token` event.
   *
   * @param {number} listener
   * @param {number} request
   * @param {string|null} token
   * @param {string} [errorMessage] why there is none
   */
  provideToken(listener, request, token, errorMessage) {
    this.#native.provideToken(listener, request, token, errorMessage)
  }

  /**
   * Answers a `reconnect` event.
   *
   * @param {number} listener
   * @param {number} request
   * @param {number} delay milliseconds, or -1 to stop
   */
  decideReconnect(listener, request, delay) {
    this.#native.decideReconnect(listener, request, delay)
  }

  /**
   * Accepts a sender: dials its rendezvous for `socket`, which opens or fails later.
   *
   * @param {number} listener
   * @param {number} accept
   * @param {import('../socket/core')} socket
   * @param {string} [protocol] the subprotocol to answer with
   */
  accept(listener, accept, socket, protocol) {
    const id = this.#attach(socket)
    this.#native.accept(listener, accept, id, protocol, socket.attach(this, id))
  }

  /**
   * Refuses a sender.
   *
   * @param {number} listener
   * @param {number} accept
   * @param {number} status
   * @param {string} description the reason phrase that the sender sees
   */
  reject(listener, accept, status, description) {
    this.#native.reject(listener, accept, status, description)
  }

  /** Closes a listener; its `closed` event follows. @param {number} id */
  closeListener(id) {
    this.#native.closeListener(id)
  }

  /**
   * Connects a sender's socket, which opens or fails later.
   *
   * @param {import('../socket/core')} socket
   * @param {object} spec see `ConnectSpec` in native/binding.d.ts; its `trust` is set here, after
   *   its `tls`
   */
  connect(socket, spec) {
    spec.trust = this.#trust(spec.tls)
    const id = this.#attach(socket)
    try {
      this.#native.connect(id, spec, socket.attach(this, id))
    } catch (error) {
      this.#detach(id)
      throw error
    }
  }

  /** Gives up a socket that is connecting; whatever becomes of it is dropped. @param {number} id */
  abort(id) {
    this.#sockets[id] = new Aborted(this, id)
    this.#native.abort(id)
  }

  /**
   * Queues a frame; it leaves with all others of this turn.
   *
   * @param {number} id
   * @param {number} opcode
   * @param {boolean} fin
   * @param {boolean} masked
   * @param {boolean} acknowledge whether the socket wants to know when it was written
   * @param {Uint8Array|string} payload strings are sent as UTF-8
   */
  send(id, opcode, fin, masked, acknowledge, payload) {
    let flags = opcode << OPCODE_SHIFT
    if (fin) flags |= FIN
    if (acknowledge) flags |= ACKNOWLEDGE
    if (!masked) flags |= UNMASKED

    const isText = typeof payload === 'string'
    // A UTF-16 unit takes three bytes at the most.
    const most = isText ? payload.length * 3 : payload.length
    if (most > SMALL) {
      this.#sendLarge(id, flags, isText ? Buffer.from(payload) : payload)
      return
    }
    if (this.#used + FRAME_WORDS * 4 + most + 3 > RING_BYTES) this.flush()
    const start = this.#used
    const at = start + FRAME_WORDS * 4
    let length = most
    if (isText) length = most === 0 ? 0 : this.#ring.write(payload, at)
    else this.#ring.set(payload, at)
    this.#words[start >> 2] = id
    this.#words[(start >> 2) + 1] = flags | length
    this.#used = at + ((length + 3) & ~3)
    this.#holdsFrames = true
    this.#flushLater()
  }

  /** Hands the queued frames to the native side now. */
  flush() {
    if (this.#used === 0) return
    const used = this.#used
    this.#used = 0
    this.#holdsFrames = false
    this.#marked = 0
    const pairs = this.#native.flush(used)
    for (let i = 0; i < pairs; i++) {
      this.#acknowledgeSoon(this.#results[i * 2], this.#results[i * 2 + 1])
    }
  }

  /**
   * Bytes that a socket has not yet handed to the operating system.
   *
   * @param {number} id
   * @returns {number}
   */
  buffered(id) {
    this.flush()
    return this.#native.buffered(id)
  }

  /** Stops reading from a socket, or goes on. @param {number} id @param {boolean} pause */
  pause(id, pause) {
    this.#native.pause(id, pause)
  }

  /** Shuts a socket's sending side after what is queued. @param {number} id */
  end(id) {
    this.flush()
    this.#native.end(id)
  }

  /** Drops a socket at once. @param {number} id */
  destroy(id) {
    this.#native.destroy(id)
  }

  /**
   * Calls a function of the user's; what it throws becomes an uncaught exception, as if an event
   * of its own had called it, and the caller goes on.
   *
   * @param {Function} fn
   * @param {...*} args
   */
  guard(fn, ...args) {
    try {
      fn(...args)
    } catch (error) {
      native.raise(error)
    }
  }

  /** The number of prepared TLS options: certificates are parsed once for equal options. */
  #trust(tls = NO_TLS) {
    let digest = this.#digests.get(tls)
    if (digest === undefined) {
      // Not the text itself, which holds a key.
      digest = createHash('sha256').update(JSON.stringify(tls)).digest('base64')
      this.#digests.set(tls, digest)
    }
    let trust = this.#trusted.get(digest)
    if (trust === undefined) {
      trust = this.#native.trust(tls)
      if (this.#trusted.size >= TRUSTED) {
        const [oldest, number] = this.#trusted.entries().next().value
        this.#trusted.delete(oldest)
        this.#native.distrust(number)
      }
    } else {
      this.#trusted.delete(digest)
    }
    this.#trusted.set(digest, trust)
    return trust
  }

  #sendLarge(id, flags, payload) {
    // Frames that were queued before leave before; marks of other large ones may stay.
    if (this.#holdsFrames) this.flush()
    if (payload.length >= HUGE) {
      // Written from now on by the I/O thread, while the next one is prepared here.
      const count = this.#native.sendLarge(id, flags, payload, true)
      if (count > 0) this.#acknowledgeSoon(id, count)
      return
    }
    this.#native.sendLarge(id, flags, payload, false)
    if (this.#used > 0 && this.#marked === id) return
    if (this.#used + FRAME_WORDS * 4 > RING_BYTES) this.flush()
    this.#words[this.#used >> 2] = id
    this.#words[(this.#used >> 2) + 1] = APPENDED
    this.#used += FRAME_WORDS * 4
    this.#marked = id
    this.#flushLater()
  }

  #flushLater() {
    if (this.#scheduled) return
    this.#scheduled = true
    queueMicrotask(this.#flushSoon)
  }

  /** Never within `send`: callbacks come after it returned. */
  #acknowledgeSoon(id, count) {
    const socket = this.#sockets[id]
    if (socket !== undefined) process.nextTick(acknowledge, socket, count)
  }

  #attach(socket) {
    const id = this.#freeIds.pop() ?? this.#sockets.length
    this.#sockets[id] = socket
    this.#hold()
    return id
  }

  #detach(id) {
    this.#sockets[id] = undefined
    this.#freeIds.push(id)
    this.#release()
  }

  #hold() {
    if (this.#holds++ === 0) this.#native.hold(true)
  }

  #release() {
    if (--this.#holds === 0) this.#native.hold(false)
  }

  /**
   * Reads up to `count` records from the table; stops early when a burst of events has taken its
   * time. What a listener throws becomes an uncaught exception, and the records after it are read
   * all the same.
   *
   * @returns {number} how many records were read
   */
  #deliver(count, large, events) {
    if (count < 0) {
      // More is there: other events of the loop have their turn first.
      setImmediate(this.#deliverSoon)
      return 0
    }
    if (large !== undefined && large.length > 0) this.nudge = new ArrayBuffer(8)
    const turn = { index: 0, until: 0 }
    let done = false
    while (!done) {
      try {
        this.#read(count, turn, large, events)
        done = true
      } catch (error) {
        native.raise(error)
      }
    }
    this.flush()
    return turn.index
  }

  /** Hands on a run of messages for one socket out of one slab: the hot loop of a flood. */
  #messages(turn, count, socket, id, word, slab) {
    const table = this.#table
    const end = count * RECORD_WORDS
    const text = (word & ~0xff) | TEXT
    const binary = (word & ~0xff) | BINARY
    for (let at = turn.index * RECORD_WORDS; at < end; at += RECORD_WORDS) {
      word = table[at + 1]
      if (table[at] !== id || (word !== binary && word !== text)) return
      turn.index++
      const length = table[at + 3]
      const data = length === 0 ? EMPTY_BUFFER : new FastBuffer(slab, table[at + 2], length)
      socket[kMessage](data, word === binary)
    }
  }

  #read(count, turn, large, events) {
    const table = this.#table
    const slabs = this.#slabs
    const sockets = this.#sockets
    let last = -1
    let socket
    while (turn.index < count) {
      const at = turn.index * RECORD_WORDS
      const id = table[at]
      const word = table[at + 1]
      const offset = table[at + 2]
      const length = table[at + 3]
      const kind = word & 0xff
      if (id !== last) {
        socket = sockets[id]
        last = id
      }
      if (kind <= BINARY) {
        this.#messages(turn, count, socket, id, word, slabs[word >>> 8])
        continue
      }
      turn.index++
      switch (kind) {
        case LARGE_TEXT:
        case LARGE_BINARY:
          socket[kMessage](
            large[offset],
            kind === LARGE_BINARY,
            length === 0 ? undefined : JSON.parse(events[length - 1]),
          )
          break
        case PING:
          socket[kPing](new FastBuffer(slabs[word >>> 8], offset, length))
          break
        case PONG:
          socket[kPong](new FastBuffer(slabs[word >>> 8], offset, length))
          break
        case CLOSE: {
          const slab = slabs[word >>> 8]
          const [high, low] = new Uint8Array(slab, offset - 2, 2)
          socket[kClose]((high << 8) | low, Buffer.from(new Uint8Array(slab, offset, length)))
          break
        }
        case CLOSE_WITHOUT_CODE:
          socket[kClose](1005, EMPTY_BUFFER)
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
          last = -1
          this.#native.forget(id)
          this.#detach(id)
          socket[kClosed]()
          break
        case EVENT:
          if (turn.until === 0) turn.until = performance.now() + TURN_MS
          this.#event(id, socket, JSON.parse(events[offset]))
          last = -1
          if (performance.now() > turn.until) return
          break
        case SLAB_DONE:
          slabs[word >>> 8] = undefined
          this.nudge = new ArrayBuffer(8)
          break
      }
    }
  }

  #event(id, socket, event) {
    if (id !== 0) {
      if (event.type === 'failed') this.#detach(id)
      socket[kEvent](event)
      return
    }
    const listener = this.#listeners.get(event.listener)
    if (listener === undefined) return
    if (event.type === 'closed') {
      this.#listeners.delete(event.listener)
      this.#native.forgetListener(event.listener)
      if (listener.held) this.#release()
    }
    listener.onEvent(event)
  }
}

/** Stands where a socket was given up while it was connecting. */
class Aborted {
  #hub
  #id

  constructor(hub, id) {
    this.#hub = hub
    this.#id = id
  }

  [kEvent](event) {
    if (event.type === 'open') this.#hub.destroy(this.#id)
  }

  [kMessage]() {}
  [kPing]() {}
  [kPong]() {}
  [kClose]() {}
  [kAcknowledged]() {}
  [kEnded]() {}
  [kFinished]() {}
  [kClosed]() {}
}

function acknowledge(socket, count) {
  socket[kAcknowledged](count)
}

module.exports = { Hub, current: Hub.current }
