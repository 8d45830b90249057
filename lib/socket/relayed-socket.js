'use strict'

// The global is an accessor, which costs at every use.
const { Buffer } = require('node:buffer')
const WebSocket = require('ws')

const errors = require('../errors')
const {
  kAcknowledged,
  kClose,
  kClosed,
  kEnded,
  kEvent,
  kFinished,
  kMessage,
  kPing,
  kPong,
} = require('../hub/records')
const SendingSide = require('./sending-side')
const { BINARY_TYPES, closePayload, controlPayload, isBlob, shape, toBuffer } = require('./payload')

const { CONNECTING, OPEN, CLOSING, CLOSED } = WebSocket
const STATES = ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED']

const CONTINUATION = 0
const TEXT = 1
const BINARY = 2
const CLOSE = 8
const PING = 9
const PONG = 10

const ABNORMAL = 1006
const EMPTY_BUFFER = Buffer.alloc(0)

/** Stands where a socket has no list yet: thousands of idle ones share it. */
const NONE = Object.freeze([])

/** Bytes that events held back may refer to before the network is stopped. */
const HELD_BYTES = 1024 * 1024

/**
 * A WebSocket through the relay: the `WebSocket` of `ws` by class, properties, methods, events and
 * their order. The native side frames, masks, parses and encrypts; the closing handshake is here.
 *
 * @extends WebSocket
 */
class RelayedSocket extends WebSocket {
  #hub = null
  #id = 0
  #options
  /** What to tell of opening and failing; `null` when that is over. */
  #hooks
  #url
  #protocol = ''
  #state = CONNECTING
  #binaryType = BINARY_TYPES[0]
  #closeCode = ABNORMAL
  #closeReason = EMPTY_BUFFER
  #closeSent = false
  #closeReceived = false
  #closeTimer = null
  #violated = false
  #errorEmitted = false
  #ending = false
  #gone = false
  #wasOpen = false
  #finished = false
  #sendingSide = null

  // Sending: callbacks in order of their frames; frames that wait for a Blob to be read.
  #callbacks = NONE
  #nextCallback = 0
  #acknowledged = 0
  #firstFragment = true
  #reading = false
  #waiting = NONE
  #waitingBytes = 0
  #pendingPongs = 0

  // Receiving: events held back while paused, or to be emitted one a turn.
  #paused = false
  #holding
  #held = NONE
  #heldBytes = 0
  #throttled = false
  #releasing = false

  /**
   * @param {string} url the address, for `url`
   * @param {object} options complete, as `socketOptions` of options.js gives them; may be shared
   * @param {object} [hooks]
   * @param {(socket: RelayedSocket, event: object) => void} [hooks.opened] called when open,
   *   before `'open'`
   * @param {(socket: RelayedSocket, error: Error) => void} [hooks.failed] called instead of
   *   `'error'` and `'close'` when it cannot be opened
   */
  constructor(url, options, hooks = null) {
    // What `ws` calls a server's socket: one that something else connects.
    super(null, undefined, { autoPong: false })
    this.#url = url
    this.#options = options
    this.#hooks = hooks
    this.#holding = !options.allowSynchronousEvents
  }

  get binaryType() {
    return this.#binaryType
  }

  set binaryType(type) {
    if (BINARY_TYPES.includes(type)) this.#binaryType = type
  }

  get bufferedAmount() {
    const unwritten = this.#state === CONNECTING || this.#gone ? 0 : this.#hub.buffered(this.#id)
    return unwritten + this.#waitingBytes
  }

  get extensions() {
    return ''
  }

  get isPaused() {
    return this.#paused
  }

  get protocol() {
    return this.#protocol
  }

  get readyState() {
    return this.#state
  }

  get url() {
    return this.#url
  }

  /** What `createWebSocketStream` looks at; made when it does, since few sockets need it. */
  get _socket() {
    if (!this.#wasOpen) return null
    this.#sendingSide ??= new SendingSide(this.#finished)
    return this.#sendingSide
  }

  /** `ws` sets it to `null` while it constructs. */
  set _socket(_null) {}

  /**
   * Takes the number under which the native side knows this socket.
   *
   * @param {import('../hub/hub').Hub} hub
   * @param {number} id
   * @returns {object} how the native side is to read
   * @package
   */
  attach(hub, id) {
    this.#hub = hub
    this.#id = id
    const { maxPayload, maxFragments, skipUTF8Validation } = this.#options
    return { maxPayload, maxFragments, skipUtf8Validation: skipUTF8Validation }
  }

  /**
   * Fails before anything was dialled.
   *
   * @param {Error} error
   * @package
   */
  fail(error) {
    if (this.#state === CONNECTING) this.#failed(error)
  }

  /**
   * Sends a message.
   *
   * Bytes are copied before this returns, except those of a Blob, which are read later.
   *
   * @param {*} data a string, Buffer, ArrayBuffer, view, Blob or number
   * @param {object} [options]
   * @param {boolean} [options.binary] binary or text; by default strings are text
   * @param {boolean} [options.compress] accepted and without effect
   * @param {boolean} [options.fin=true] whether this is the last fragment of the message
   * @param {boolean} [options.mask=true] whether the frame is masked; the relay refuses others
   * @param {(error?: Error) => void} [cb] called when the data has been written out
   */
  send(data, options, cb) {
    if (this.#state !== OPEN) {
      if (typeof options === 'function') cb = options
      this.#sendUnopened(data, cb)
      return
    }
    if (typeof options === 'function') {
      cb = options
      options = undefined
    }
    if (options === undefined && data instanceof Uint8Array) {
      // The usual case, without a question more than it needs.
      const opcode = this.#firstFragment ? BINARY : CONTINUATION
      this.#firstFragment = true
      this.#frame(opcode, true, true, data, cb)
      return
    }
    if (typeof data === 'number') data = data.toString()
    let binary = typeof data !== 'string'
    let fin = true
    let mask = true
    if (options) {
      if ('binary' in options) binary = options.binary
      if ('fin' in options) fin = options.fin
      if ('mask' in options) mask = options.mask
    }
    const payload = typeof data === 'string' || isBlob(data) ? data : toBuffer(data || EMPTY_BUFFER)
    let opcode = CONTINUATION
    if (this.#firstFragment) opcode = binary ? BINARY : TEXT
    this.#firstFragment = Boolean(fin)
    this.#frame(opcode, Boolean(fin), Boolean(mask), payload, cb)
  }

  /**
   * Sends a ping.
   *
   * @param {*} [data] at most 125 bytes
   * @param {boolean} [mask=true]
   * @param {(error?: Error) => void} [cb] called when it has been written out
   */
  ping(data, mask, cb) {
    this.#control(PING, data, mask, cb)
  }

  /**
   * Sends a pong.
   *
   * @param {*} [data] at most 125 bytes
   * @param {boolean} [mask=true]
   * @param {(error?: Error) => void} [cb] called when it has been written out
   */
  pong(data, mask, cb) {
    this.#control(PONG, data, mask, cb)
  }

  /** Stops reading from the network: no message, no close is seen until `resume`. */
  pause() {
    if (this.#state === CONNECTING || this.#state === CLOSED) return
    this.#paused = true
    this.#holding = true
    if (!this.#gone) this.#hub.pause(this.#id, true)
  }

  /** Reads again, from the next turn on. */
  resume() {
    if (this.#state === CONNECTING || this.#state === CLOSED) return
    this.#paused = false
    this.#releaseSoon()
  }

  /**
   * Starts the closing handshake.
   *
   * @param {number} [code] 1000, 3000 to 4999, or another that may be sent
   * @param {string|Buffer} [data] the reason, at most 123 bytes
   */
  close(code, data) {
    if (this.#state === CLOSED) return
    if (this.#state === CONNECTING) {
      this.#abandon()
      return
    }
    if (this.#state === CLOSING) {
      if (this.#closeSent && (this.#closeReceived || this.#violated)) this.#end()
      return
    }
    const payload = closePayload(code, data)
    this.#frame(CLOSE, true, true, payload, (error) => {
      if (error) return
      this.#closeSent = true
      // Read by the 'close' event of ws's EventTarget face, for `wasClean`.
      this._closeFrameSent = true
      if (this.#closeReceived || this.#violated) this.#end()
    })
    this.#state = CLOSING
    this.#closeTimer = setTimeout(() => this.#destroy(), this.#options.closeTimeout)
  }

  /** Drops the connection without a closing handshake. */
  terminate() {
    if (this.#state === CLOSED) return
    if (this.#state === CONNECTING) {
      this.#abandon()
      return
    }
    this.#state = CLOSING
    this.#destroy()
  }

  /** A message came, perhaps in fragments that end at `ends`. @package */
  [kMessage](data, isBinary, ends) {
    if (this.#holding) this.#hold(this.#emitMessage, data.length, data, isBinary, ends)
    else if (isBinary && this.#binaryType !== 'nodebuffer') this.#emitMessage(data, true, ends)
    else this.emit('message', data, isBinary)
  }

  /** A ping came. @package */
  [kPing](data) {
    if (this.#holding) this.#hold(this.#emitPing, data.length, data)
    else this.#emitPing(data)
  }

  /** A pong came. @package */
  [kPong](data) {
    if (this.#holding) this.#hold(this.#emitPong, data.length, data)
    else this.#emitPong(data)
  }

  /** The peer's close frame came. @package */
  [kClose](code, reason) {
    if (this.#holding) this.#hold(this.#conclude, 0, code, reason)
    else this.#conclude(code, reason)
  }

  /** So many frames that carry callbacks were written. @package */
  [kAcknowledged](count) {
    this.#acknowledged += count
    try {
      while (this.#acknowledged > 0) {
        this.#acknowledged--
        this.#takeCallback()?.(null)
      }
    } finally {
      // A callback threw: the others are called all the same.
      if (this.#acknowledged > 0) process.nextTick(() => this[kAcknowledged](0))
    }
  }

  /** The peer has finished sending. @package */
  [kEnded]() {
    if (this.#holding) this.#hold(this.#peerEnded, 0)
    else this.#peerEnded()
  }

  /** All was written and the sending side is shut. @package */
  [kFinished]() {
    this.#finished = true
    this.#sendingSide?.finish()
  }

  /** The connection is gone. @package */
  [kClosed]() {
    this.#gone = true
    if (this.#holding && !this.#paused && this.#held.length > 0) {
      this.#hold(this.#emitClose, 0)
      return
    }
    // What had come before a paused socket was dropped is emitted now, as `ws` does.
    this.#paused = false
    while (this.#held.length > 0) this.#emitHeld()
    this.#emitClose()
  }

  /** The native side reports something else. @package */
  [kEvent](event) {
    switch (event.type) {
      case 'open':
        this.#opened(event)
        break
      case 'failed':
        this.#gone = true
        this.#failed(errors.fromNative(event.error))
        break
      case 'violation':
        if (this.#holding) this.#hold(this.#violation, 0, event)
        else this.#violation(event)
        break
    }
  }

  #opened(event) {
    this.#state = OPEN
    this.#protocol = event.protocol ?? ''
    this.#wasOpen = true
    const hooks = this.#hooks
    this.#hooks = null
    try {
      hooks?.opened?.(this, event)
    } finally {
      if (this.#state === OPEN) this.emit('open')
    }
  }

  #failed(error) {
    this.#state = CLOSING
    this.#gone = true
    const hooks = this.#hooks
    this.#hooks = null
    if (hooks?.failed) {
      this.#state = CLOSED
      hooks.failed(this, error)
      return
    }
    this.#errorEmitted = true
    try {
      this.emit('error', error)
    } finally {
      this.#emitClose()
    }
  }

  /** Closed by the user before it was open. */
  #abandon() {
    this.#state = CLOSING
    if (this.#hub && !this.#gone) this.#hub.abort(this.#id)
    this.#gone = true
    const error = new Error('WebSocket was closed before the connection was established')
    process.nextTick(() => this.#failed(error))
  }

  #sendUnopened(data, cb) {
    if (this.#state === CONNECTING) {
      throw new Error('WebSocket is not open: readyState 0 (CONNECTING)')
    }
    if (typeof data === 'number') data = data.toString()
    if (data) this.#waitingBytes += isBlob(data) ? data.size : toBuffer(data).length
    if (cb) {
      const state = `${this.#state} (${STATES[this.#state]})`
      process.nextTick(cb, new Error(`WebSocket is not open: readyState ${state}`))
    }
  }

  #control(opcode, data, mask, cb) {
    if (typeof data === 'function') {
      cb = data
      data = mask = undefined
    } else if (typeof mask === 'function') {
      cb = mask
      mask = undefined
    }
    if (this.#state !== OPEN) {
      this.#sendUnopened(data, cb)
      return
    }
    this.#frame(opcode, true, mask === undefined || Boolean(mask), controlPayload(data), cb)
  }

  /** Sends a frame, behind those that wait for a Blob. */
  #frame(opcode, fin, mask, payload, cb) {
    if (this.#reading) {
      this.#waitingBytes += sizeOf(payload)
      if (this.#waiting === NONE) this.#waiting = []
      this.#waiting.push({ opcode, fin, mask, payload: ownCopy(payload), cb })
      return
    }
    if (typeof payload !== 'string' && !(payload instanceof Uint8Array)) {
      this.#readBlob({ opcode, fin, mask, payload, cb })
      return
    }
    const acknowledge = typeof cb === 'function'
    if (acknowledge) {
      if (this.#callbacks === NONE) this.#callbacks = []
      this.#callbacks.push(cb)
    }
    this.#hub.send(this.#id, opcode, fin, mask, acknowledge, payload)
  }

  #readBlob(frame) {
    const { payload, cb } = frame
    this.#reading = true
    this.#waitingBytes += payload.size
    payload.arrayBuffer().then(
      (bytes) => {
        // In a turn of its own: what a callback throws is no rejection of this promise.
        process.nextTick(() => {
          this.#reading = false
          if (this.#gone) {
            this.#failWaiting(new Error('The socket was closed while the blob was being read'), cb)
            return
          }
          this.#waitingBytes -= payload.size
          this.#frame(frame.opcode, frame.fin, frame.mask, toBuffer(bytes), cb)
          while (!this.#reading && this.#waiting.length > 0) {
            const next = this.#waiting.shift()
            this.#waitingBytes -= sizeOf(next.payload)
            this.#frame(next.opcode, next.fin, next.mask, next.payload, next.cb)
          }
        })
      },
      (error) =>
        process.nextTick(() => {
          this.#failWaiting(error, cb)
          if (this.#gone) return
          if (this.#state === OPEN) {
            this.#state = CLOSING
            this.#closeTimer = setTimeout(() => this.#destroy(), this.#options.closeTimeout)
          }
          this.#end()
          this.#emitError(error)
        }),
    )
  }

  /** Reports that frames which wait for a Blob will never be sent. */
  #failWaiting(error, cb) {
    const callbacks = [cb, ...this.#waiting.map((frame) => frame.cb)]
    this.#waiting = NONE
    for (const callback of callbacks) {
      if (typeof callback === 'function') this.#hub.guard(callback, error)
    }
  }

  #takeCallback() {
    // Written after `'close'` has told every callback of its failure.
    if (this.#callbacks === NONE) return undefined
    const callback = this.#callbacks[this.#nextCallback]
    this.#callbacks[this.#nextCallback++] = undefined
    if (this.#nextCallback === this.#callbacks.length) {
      this.#callbacks = NONE
      this.#nextCallback = 0
    }
    return callback
  }

  #emitMessage(data, isBinary, ends) {
    this.emit('message', isBinary ? shape(data, this.#binaryType, ends) : data, isBinary)
  }

  #emitPing(data) {
    const { autoPong, maxPendingAutoPongs } = this.#options
    if (autoPong && this.#state === OPEN) {
      if (maxPendingAutoPongs > 0 && this.#pendingPongs >= maxPendingAutoPongs) {
        this.terminate()
      } else {
        this.#pendingPongs++
        this.pong(data, true, () => this.#pendingPongs--)
      }
    }
    this.emit('ping', data)
  }

  #emitPong(data) {
    this.emit('pong', data)
  }

  /** Acts on the peer's close frame: answers it, or ends when both have closed. */
  #conclude(code, reason) {
    this.#closeReceived = true
    this._closeFrameReceived = true
    this.#closeCode = code
    this.#closeReason = reason
    if (this.#gone) return
    if (code === 1005) this.close()
    else this.close(code, reason)
  }

  #violation({ message, code, closeCode, range }) {
    this.#violated = true
    const error = new (range ? RangeError : Error)(message)
    error.code = code
    if (!this.#gone) this.close(closeCode)
    this.#emitError(error)
  }

  #emitError(error) {
    if (this.#errorEmitted) return
    this.#errorEmitted = true
    this.emit('error', error)
  }

  #peerEnded() {
    this.#state = CLOSING
    this.#end()
  }

  #end() {
    if (this.#ending || this.#gone) return
    this.#ending = true
    this.#hub.end(this.#id)
  }

  #destroy() {
    if (!this.#gone) this.#hub.destroy(this.#id)
  }

  #emitClose() {
    if (this.#state === CLOSED) return
    clearTimeout(this.#closeTimer)
    const unsent = this.#callbacks.slice(this.#nextCallback)
    this.#callbacks = NONE
    this.#nextCallback = 0
    this.#acknowledged = 0
    this.#state = CLOSING
    if (unsent.length > 0) {
      const error = new Error('Cannot call write after a stream was destroyed')
      error.code = 'ERR_STREAM_DESTROYED'
      for (const callback of unsent) this.#hub.guard(callback, error)
    }
    this.#state = CLOSED
    this.#sendingSide?.close()
    this.emit('close', this.#closeCode, this.#closeReason)
  }

  #hold(emit, bytes, ...args) {
    if (this.#held === NONE) this.#held = []
    this.#held.push({ emit, bytes, args })
    this.#heldBytes += bytes
    if (!this.#paused) {
      if (this.#heldBytes > HELD_BYTES && !this.#throttled && !this.#gone) {
        this.#throttled = true
        this.#hub.pause(this.#id, true)
      }
      this.#releaseSoon()
    }
  }

  #releaseSoon() {
    if (this.#releasing) return
    this.#releasing = true
    const release = () => {
      this.#releasing = false
      this.#release()
    }
    if (this.#options.allowSynchronousEvents) process.nextTick(release)
    else setImmediate(release)
  }

  /** Emits what was held back: all of it, or one event a turn, until it is paused again. */
  #release() {
    try {
      while (this.#held.length > 0 && !this.#paused && this.#state !== CLOSED) {
        this.#emitHeld()
        if (!this.#options.allowSynchronousEvents) break
      }
    } finally {
      this.#released()
    }
  }

  #released() {
    if (this.#paused || this.#state === CLOSED) return
    if (this.#held.length > 0) {
      this.#releaseSoon()
      if (!this.#throttled || this.#heldBytes > HELD_BYTES / 2) return
    }
    this.#throttled = false
    this.#holding = !this.#options.allowSynchronousEvents || this.#held.length > 0
    if (!this.#gone) this.#hub.pause(this.#id, false)
  }

  #emitHeld() {
    const { emit, bytes, args } = this.#held.shift()
    this.#heldBytes -= bytes
    emit.apply(this, args)
  }
}

// As in `ws`: an accessor in a class body is not enumerable, and hides the one that is.
for (const name of [
  'binaryType',
  'bufferedAmount',
  'extensions',
  'isPaused',
  'protocol',
  'readyState',
  'url',
]) {
  Object.defineProperty(RelayedSocket.prototype, name, { enumerable: true })
}

function sizeOf(payload) {
  if (typeof payload === 'string') return Buffer.byteLength(payload)
  return isBlob(payload) ? payload.size : payload.length
}

/** A frame that waits must not change with the caller's buffer. */
function ownCopy(payload) {
  return typeof payload === 'string' || isBlob(payload) ? payload : Buffer.from(payload)
}

module.exports = RelayedSocket
