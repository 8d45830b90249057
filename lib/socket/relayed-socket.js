'use strict'

const { Buffer } = require('node:buffer')
const { inspect } = require('node:util')
const WebSocket = require('ws')

const { captureQuickly, run } = require('../context')
const { CLOSED: CLOSED_CODE, createError, invalidArgument } = require('../errors')
const { nextTick } = require('../globals')
const { redact } = require('../native')
const SocketCore = require('./core')
const Messages = require('./messages')
const { abandon } = require('./opening')
const {
  BINARY,
  BINARY_TYPES,
  PING,
  PONG,
  TEXT,
  controlPayload,
  isBlob,
  sizeOf,
  toBuffer,
} = require('./payload')
const SendingSide = require('./sending-side')
const streams = require('./streams')

const { CONNECTING, OPEN, CLOSED } = WebSocket
const STATES = ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED']

const EMPTY_BUFFER = Buffer.alloc(0)

const kCore = Symbol('core')

const ignore = () => {}

/**
 * A WebSocket through the relay: the `WebSocket` of `ws` by class, properties, methods, events and
 * their order. Its state is in its core, which a symbol leads to: private fields could not be
 * reached through a Proxy, or from an object that inherits from a socket.
 *
 * @extends WebSocket
 */
class RelayedSocket extends WebSocket {
  /**
   * Not for programs: `relayedConnect` makes sockets, and a `RelayedServer` hands them out.
   *
   * @param {SocketCore} core
   */
  constructor(core) {
    if (!(core instanceof SocketCore)) throw constructed(new.target)
    // What `ws` calls a server's socket: one that something else connects.
    super(null, undefined, { autoPong: false })
    this[kCore] = core
    core.face = this
  }

  get binaryType() {
    return this[kCore].binaryType
  }

  set binaryType(type) {
    if (!BINARY_TYPES.includes(type)) return
    this[kCore].binaryType = type
    this[kCore].settleMode()
  }

  get bufferedAmount() {
    return this[kCore].bufferedAmount
  }

  get extensions() {
    return ''
  }

  get isPaused() {
    return this[kCore].paused
  }

  get protocol() {
    return this[kCore].protocol
  }

  get readyState() {
    return this[kCore].state
  }

  get url() {
    return this[kCore].url
  }

  /** What `createWebSocketStream` looks at; made when it does, since few sockets need it. */
  get _socket() {
    const core = this[kCore]
    if (!core.wasOpen) return null
    core.sendingSide ??= new SendingSide(core.finished)
    return core.sendingSide
  }

  /** `ws` sets it to `null` while it constructs. */
  set _socket(_null) {}

  /**
   * Sends a message.
   *
   * Bytes are copied before this returns, except those of a Blob, which are read later.
   *
   * @param {*} data a string, Buffer, ArrayBuffer, view, Blob or number
   * @param {Object} [options]
   * @param {Boolean} [options.binary] binary or text; by default strings are text
   * @param {Boolean} [options.compress] accepted and without effect
   * @param {Boolean} [options.fin=true] whether this is the last fragment of the message
   * @param {Boolean} [options.mask=true] whether the frame is masked; the relay refuses others
   * @param {Function} [cb] called when the data has been written out, or with an error
   */
  send(data, options, cb) {
    const core = this[kCore]
    if (typeof options === 'function') {
      cb = options
      options = undefined
    }
    if (core.state !== OPEN) {
      sendUnopened(core, data, cb)
      return
    }
    if (typeof cb === 'function') cb = inContext(cb)
    if (options === undefined && data instanceof Uint8Array) {
      // The usual case, without a question more than it needs.
      core.frame(core.nextOpcode(BINARY, true), true, true, data, cb)
      return
    }
    if (typeof data === 'number') data = data.toString()
    let binary = typeof data !== 'string'
    let fin = true
    let mask = true
    // What is no object has no options, such as the encoding that a stream is given.
    if (typeof options === 'object' && options !== null) {
      if ('binary' in options) binary = options.binary
      if ('fin' in options) fin = Boolean(options.fin)
      if ('mask' in options) mask = Boolean(options.mask)
    }
    const payload = typeof data === 'string' || isBlob(data) ? data : toBuffer(data || EMPTY_BUFFER)
    core.frame(core.nextOpcode(binary ? BINARY : TEXT, fin), fin, mask, payload, cb)
  }

  /**
   * Sends a ping.
   *
   * @param {*} [data] at most 125 bytes
   * @param {Boolean} [mask=true]
   * @param {Function} [cb] called when it has been written out, or with an error
   */
  ping(data, mask, cb) {
    sendControl(this[kCore], PING, data, mask, cb)
  }

  /**
   * Sends a pong.
   *
   * @param {*} [data] at most 125 bytes
   * @param {Boolean} [mask=true]
   * @param {Function} [cb] called when it has been written out, or with an error
   */
  pong(data, mask, cb) {
    sendControl(this[kCore], PONG, data, mask, cb)
  }

  /** Stops reading from the network: no message, no close is seen until `resume`. */
  pause() {
    this[kCore].pause()
  }

  /** Reads again, from the next turn on. */
  resume() {
    this[kCore].resume()
  }

  /**
   * Starts the closing handshake.
   *
   * @param {Number} [code] 1000, 3000 to 4999, or another that may be sent
   * @param {(String|Buffer)} [data] the reason, at most 123 bytes
   */
  close(code, data) {
    const core = this[kCore]
    if (core.state === CONNECTING) abandon(core, closedEarly(RelayedSocket.prototype.close))
    else core.close(code, data)
  }

  /** Drops the connection without a closing handshake. */
  terminate() {
    const core = this[kCore]
    if (core.state === CONNECTING) abandon(core, closedEarly(RelayedSocket.prototype.terminate))
    else core.terminate()
  }

  /**
   * The messages, for `for await`: text as strings, everything else as `'message'` gives it. The socket
   * is paused while the loop is slower than the peer. Leaving the loop leaves the socket open, and what
   * has come for the next loop.
   *
   * @return {AsyncIterableIterator<*>}
   */
  [Symbol.asyncIterator]() {
    return new Messages(this[kCore])
  }

  /**
   * The messages as a stream of the web; cancelling it closes the socket. Made at the first use, from
   * when on it takes the messages.
   *
   * @type {ReadableStream}
   */
  get readable() {
    return (this[kCore].readable ??= streams.readableOf(this[kCore]))
  }

  /**
   * A stream of the web that sends each chunk as a message; closing it closes the socket with 1000,
   * aborting it terminates the socket. It asks to wait while too much is not yet written out.
   *
   * @type {WritableStream}
   */
  get writable() {
    return (this[kCore].writable ??= streams.writableOf(this))
  }

  /**
   * Closes the socket with 1000, at the end of an `await using` block.
   *
   * @return {Promise<void>} Fulfilled when it is closed
   */
  [Symbol.asyncDispose]() {
    return new Promise((resolve) => {
      if (this.readyState === CLOSED) {
        resolve()
        return
      }
      this.once('close', () => resolve())
      // One that is not open yet fails because of this.
      if (this.readyState === CONNECTING) this.once('error', ignore)
      this.close(1000)
    })
  }

  /** What `console.log` shows: the state as it is, without the fields of ws, which are not in use. */
  [inspect.custom](_depth, options, inspectValue = inspect) {
    const { binaryType, bufferedAmount, isPaused, protocol, readyState, url } = this
    const state = {
      readyState: STATES[readyState],
      url: redact(url),
      protocol,
      binaryType,
      bufferedAmount,
      isPaused,
    }
    return `${this.constructor.name} ${inspectValue(state, options)}`
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

/**
 * Makes a socket that is still to be connected.
 *
 * @param {String} url
 * @param {Object} options
 * @param {Object} [hooks] See `SocketCore`
 * @return {SocketCore} What the hub connects; `face` is the socket
 */
function createSocket(url, options, hooks) {
  return new RelayedSocket(new SocketCore(url, options, hooks))[kCore]
}

/**
 * @param {Object} socket What a server has emitted, perhaps for a socket of another kind
 * @return {Object} What `pause(who)` and `resume(who)` are to be called on
 */
function pausable(socket) {
  return socket[kCore] ?? socket
}

function sendControl(core, opcode, data, mask, cb) {
  if (typeof data === 'function') {
    cb = data
    data = mask = undefined
  } else if (typeof mask === 'function') {
    cb = mask
    mask = undefined
  }
  if (core.state !== OPEN) {
    sendUnopened(core, data, cb)
    return
  }
  if (typeof cb === 'function') cb = inContext(cb)
  core.frame(opcode, true, mask === undefined || Boolean(mask), controlPayload(data), cb)
}

function sendUnopened(core, data, cb) {
  if (core.state === CONNECTING) {
    throw new Error('WebSocket is not open: readyState 0 (CONNECTING)')
  }
  if (typeof data === 'number') data = data.toString()
  if (data) core.waitingBytes += isBlob(data) ? data.size : sizeOf(toBuffer(data))
  if (cb) {
    const state = `${core.state} (${STATES[core.state]})`
    nextTick(cb, new Error(`WebSocket is not open: readyState ${state}`))
  }
}

/**
 * @param {Function} cb
 * @return {Function} The same, in the context of the caller
 */
function inContext(cb) {
  const context = captureQuickly()
  return context === null ? cb : (error) => run(context, cb, undefined, error)
}

function closedEarly(method) {
  const text = 'WebSocket was closed before the connection was established'
  const error = createError(CLOSED_CODE, text)
  Error.captureStackTrace(error, method)
  return error
}

function constructed(method) {
  const error = invalidArgument(
    'new RelayedSocket',
    'cannot be called: relayedConnect() opens a socket, and a RelayedServer gives one to its ' +
      "'connection' listeners",
  )
  Error.captureStackTrace(error, method)
  return error
}

module.exports = { RelayedSocket, createSocket, pausable }
