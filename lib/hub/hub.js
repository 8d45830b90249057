'use strict'

// The global is an accessor, which costs at every use.
const { Buffer } = require('node:buffer')
const { createHash } = require('node:crypto')

const { run, scrub } = require('../context')
const { nextTick, now, queueMicrotask, setImmediate } = require('../globals')
const native = require('../native')
const Aborted = require('./aborted')
const Link = require('./link')
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
const FRAME_WORDS = 3

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
  /** The link whose large frames the last mark in the ring is for. */
  #marked = null
  #scheduled = false
  #slabs = []
  /** Sockets by the numbers of their links. */
  #sockets = [undefined]
  /** Their links. */
  #links = [undefined]
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

  #flushSoon = () => this.flush()
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
    // The first to use it lends it no context: it works for all.
    current ??= run(null, () => new Hub())
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
   * @param {(Object|null)} given `token`, `expiresOn` and `refreshAfter`, as a TokenSource fetches it
   * @param {string} [errorMessage] why there is none
   */
  provideToken(listener, request, given, errorMessage) {
    const { token, expiresOn, refreshAfter } = given ?? {}
    this.#native.provideToken(listener, request, token, errorMessage, expiresOn, refreshAfter)
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
   * @param {object} socket as for `connect`
   * @param {string|undefined} protocol the subprotocol to answer with
   * @param {string[][]} headers further ones of the handshake, names and values
   * @throws {Error} when the listener has ended
   */
  accept(listener, accept, socket, protocol, headers) {
    const link = new Link(this)
    const read = socket.attach(link)
    this.#attach(socket, link, this.#native.accept(listener, accept, protocol, headers, read))
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
   * @param {object} socket what gets the events: an object with the methods that records.js names
   *   by symbols, and with `attach(link)`, which takes the `Link` and returns how the native side
   *   is to read (`ReadSpec` in native/binding.d.ts)
   * @param {object} spec see `ConnectSpec` in native/binding.d.ts; its `trust` is set here, after
   *   its `tls`
   */
  connect(socket, spec) {
    spec.trust = this.#trust(spec.tls)
    const link = new Link(this)
    const read = socket.attach(link)
    this.#attach(socket, link, this.#native.connect(spec, read))
  }

  /** See `Link.abort`. @param {Link} link */
  abort(link) {
    this.#sockets[link.number] = new Aborted(link)
    this.#native.abort(link.handle)
  }

  /**
   * See `Link.send`.
   *
   * @param {Link} link
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
    const most = isText ? payload.length * 3 : payload.length
    if (most > SMALL) {
      this.#sendLarge(link, flags, isText ? Buffer.from(payload) : payload)
      return
    }
    if (this.#used + FRAME_WORDS * 4 + most + 3 > RING_BYTES) this.flush()
    const start = this.#used
    const at = start + FRAME_WORDS * 4
    let length = most
    if (isText) length = most === 0 ? 0 : this.#ring.write(payload, at)
    else this.#ring.set(payload, at)
    this.#mark(start >> 2, link, flags | length)
    this.#used = at + ((length + 3) & ~3)
    this.#holdsFrames = true
    this.#flushLater()
  }

  /** Hands the queued frames to the native side now. */
  flush() {
    // Here, so that whatever flushes mends a microtask that was lost.
    this.#scheduled = false
    if (this.#used === 0) return
    const used = this.#used
    this.#used = 0
    this.#holdsFrames = false
    this.#marked = null
    const pairs = this.#native.flush(used)
    for (let i = 0; i < pairs; i++) {
      this.#acknowledgeSoon(this.#results[i * 2], this.#results[i * 2 + 1])
    }
  }

  /** See `Link.buffered`. @param {Link} link @returns {number} */
  buffered(link) {
    this.flush()
    return this.#native.buffered(link.handle)
  }

  /** See `Link.pause`. @param {Link} link @param {boolean} pause */
  pause(link, pause) {
    this.#native.pause(link.handle, pause)
  }

  /** See `Link.end`. @param {Link} link */
  end(link) {
    this.flush()
    this.#native.end(link.handle)
  }

  /** See `Link.destroy`. @param {Link} link */
  destroy(link) {
    this.#native.destroy(link.handle)
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

  /** Writes the three words that a frame or a mark begins with. */
  #mark(at, link, flags) {
    const words = this.#words
    words[at] = link.number
    words[at + 1] = link.generation
    words[at + 2] = flags
  }

  #sendLarge(link, flags, payload) {
    // Frames that were queued before leave before; marks of other large ones may stay.
    if (this.#holdsFrames) this.flush()
    if (payload.length >= HUGE) {
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

  #attach(socket, link, handle) {
    link.bind(handle)
    this.#sockets[link.number] = socket
    this.#links[link.number] = link
    this.#hold()
  }

  /** The socket knows that its connection is gone: the number may be given to another. */
  #detach(number) {
    const link = this.#links[number]
    this.#sockets[number] = undefined
    this.#links[number] = undefined
    this.#native.forget(link.handle)
    link.unbind()
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
    scrub()
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
          try {
            socket[kClosed]()
          } finally {
            this.#detach(id)
          }
          break
        case EVENT:
          if (turn.until === 0) turn.until = now() + TURN_MS
          this.#event(id, socket, JSON.parse(events[offset]))
          last = -1
          if (now() > turn.until) return
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
      try {
        socket[kEvent](event)
      } finally {
        if (event.type === 'failed') this.#detach(id)
      }
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

function acknowledge(socket, count) {
  socket[kAcknowledged](count)
}

module.exports = { Hub, current: Hub.current }
