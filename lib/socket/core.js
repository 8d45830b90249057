'use strict'

const { Buffer } = require('node:buffer')
const WebSocket = require('ws')

const { capture, run } = require('../context')
const { publish, wanted } = require('../diagnostics')
const { fromNative } = require('../errors')
const { clearTimeout, setTimeout } = require('../globals')
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
const { close, conclude, violate } = require('./closing')
const Held = require('./held')
const { about, opened, refused } = require('./opening')
const Outgoing = require('./outgoing')
const { BINARY_TYPES, CONTINUATION, PONG, shape } = require('./payload')

const { CONNECTING, OPEN, CLOSING, CLOSED } = WebSocket

const ABNORMAL = 1006
const EMPTY_BUFFER = Buffer.alloc(0)

/**
 * What a relayed socket is: its state, and what it does when the native side or the program acts.
 * `RelayedSocket` is its face, on which events are emitted. An object of its own, so that a Proxy of
 * the face, or an object that inherits from it, reaches the same socket.
 */
class SocketCore {
  /**
   * @param {String} url The address, for `url`
   * @param {Object} options Complete, as `socketOptions` of options.js gives them; may be shared
   * @param {Object} [hooks]
   * @param {Function} [hooks.opened] Called with the face when it is open, before `'open'`
   * @param {Function} [hooks.failed] Called with the face and the error instead of `'error'` and
   *     `'close'` when it cannot be opened
   * @param {Object} [hooks.server] The server whose sender is at the other end
   * @param {Function} [hooks.leave] Called with the face when it is closed, whoever listens for that
   * @param {Function} [hooks.describe] Makes the error of a connection that cannot be opened out of
   *     what the native side says
   */
  constructor(url, options, hooks = null) {
    this.face = null
    this.url = url
    this.options = options
    /** What to tell of opening and failing; `null` when that is over. */
    this.hooks = hooks
    this.server = hooks?.server
    this.leave = hooks?.leave
    this.context = capture()
    /** Reaches the connection, and does nothing once that is gone. */
    this.link = null
    this.state = CONNECTING
    this.protocol = ''
    this.binaryType = BINARY_TYPES[0]

    this.closeCode = ABNORMAL
    this.closeReason = EMPTY_BUFFER
    this.closeSent = false
    this.closeReceived = false
    this.closeTimer = null
    /** What is to be undone when the socket ends, such as a listener of a signal. */
    this.endings = null

    /** The native connection is open: it has to be dropped, not only to be given up. */
    this.connected = false
    this.wasOpen = false
    this.violated = false
    this.errorEmitted = false
    /** The sending side was, or is being, shut. */
    this.ending = false
    /** It was dropped: nothing leaves any more. */
    this.destroyed = false
    /** There is no native connection any more, or there never was one. */
    this.gone = false
    this.finished = false
    this.sendingSide = null
    /** The streams of the web over it, where somebody asked for them. */
    this.readable = null
    this.writable = null
    this.firstFragment = true
    this.outgoing = null
    /** Bytes of frames that wait for a Blob, and of what was sent too late. */
    this.waitingBytes = 0
    this.pendingPongs = 0

    this.paused = false
    /** Who does not want to read now: `null` is the program, others are the loops over its messages. */
    this.pausers = null
    /** The messages that a loop left over, for the next one. */
    this.unread = null
    /** It is open since this turn of the event loop: who awaited that adds listeners only now. */
    this.arriving = false
    /** Whether what comes is held back, in `held`. */
    this.holding = !options.allowSynchronousEvents
    this.held = null
    this.plain = false
    this.settleMode()
  }

  /** Decides whether a message can be emitted without a further question. */
  settleMode() {
    this.plain = !this.holding && this.context === null && this.binaryType === BINARY_TYPES[0]
  }

  /**
   * Takes what reaches its connection.
   *
   * @param {Link} link
   * @return {Object} How the native side is to read
   */
  attach(link) {
    this.link = link
    const { keepAliveInterval, maxPayload, maxFragments, skipUTF8Validation } = this.options
    return {
      keepAliveInterval,
      maxPayload,
      maxFragments,
      skipUtf8Validation: skipUTF8Validation,
    }
  }

  /** @type {Number} Bytes that were not yet handed to the operating system */
  get bufferedAmount() {
    const unwritten = this.state === CONNECTING ? 0 : this.link.buffered()
    return unwritten + this.waitingBytes
  }

  /**
   * Undoes something when the socket ends, before `'close'` is emitted.
   *
   * @param {Function} ending
   */
  onEnd(ending) {
    this.endings ??= []
    this.endings.push(ending)
  }

  /** A message came, perhaps in fragments that end at `ends`. */
  [kMessage](data, isBinary, ends) {
    if (this.plain) this.face.emit('message', data, isBinary)
    else if (this.holding) this.hold(this.emitMessage, data, isBinary, ends)
    else this.within(this.emitMessage, data, isBinary, ends)
  }

  /** A ping came. */
  [kPing](data) {
    if (this.holding) this.hold(this.emitPing, data)
    else this.within(this.emitPing, data)
  }

  /** A pong came. */
  [kPong](data) {
    if (this.holding) this.hold(this.emitPong, data)
    else this.within(this.emitPong, data)
  }

  /** The peer's close frame came. */
  [kClose](code, reason) {
    if (this.holding) this.hold(this.conclude, reason, code)
    else this.conclude(reason, code)
  }

  /** So many frames that carry callbacks were written. */
  [kAcknowledged](count) {
    this.outgoing?.acknowledge(count)
  }

  /** The peer has finished sending. */
  [kEnded]() {
    if (this.holding) this.hold(this.peerEnded, EMPTY_BUFFER)
    else this.peerEnded()
  }

  /** All was written and the sending side is shut. */
  [kFinished]() {
    this.finished = true
    if (this.sendingSide !== null) this.within(() => this.sendingSide.finish())
  }

  /** The connection is gone. What had come before is emitted while the socket is CLOSING. */
  [kClosed]() {
    if (this.gone) return
    this.gone = true
    this.state = CLOSING
    clearTimeout(this.closeTimer)
    run(this.context, this.#concludeGone, this)
  }

  /** The native side reports something else. */
  [kEvent](event) {
    switch (event.type) {
      case 'open':
        run(this.context, opened, undefined, this, event)
        break
      case 'failed':
        this.gone = true
        run(this.context, refused, undefined, this, event.error)
        break
      case 'lost':
        if (this.holding) this.hold(this.lose, EMPTY_BUFFER, event)
        else run(this.context, this.lose, this, EMPTY_BUFFER, event)
        break
      case 'violation':
        if (this.holding) this.hold(this.violate, EMPTY_BUFFER, event)
        else run(this.context, this.violate, this, EMPTY_BUFFER, event)
        break
    }
  }

  /** Sends a frame, behind those that wait for a Blob. */
  frame(opcode, fin, mask, payload, cb) {
    const isBytes = typeof payload === 'string' || payload instanceof Uint8Array
    if (this.outgoing?.reading || !isBytes) {
      this.#outbox().wait(opcode, fin, mask, payload, cb)
      return
    }
    const acknowledge = typeof cb === 'function'
    this.link.send(opcode, fin, mask, acknowledge, payload)
    if (acknowledge) this.#outbox().expect(cb)
  }

  /**
   * The opcode of the next frame of a message.
   *
   * @param {Number} opcode TEXT or BINARY
   * @param {Boolean} fin Whether the frame is the last of its message
   * @return {Number}
   */
  nextOpcode(opcode, fin) {
    const next = this.firstFragment ? opcode : CONTINUATION
    this.firstFragment = fin
    return next
  }

  /** Stops reading from the network, until each `who` that did so has resumed. */
  pause(who = null) {
    if (this.state === CONNECTING || this.state === CLOSED) return
    this.pausers = (this.pausers ?? new Set()).add(who)
    this.paused = true
    if (this.gone) return
    this.holding = true
    this.settleMode()
    this.link.pause(true)
  }

  /** Reads again, from the next turn on. */
  resume(who = null) {
    if (this.state === CONNECTING || this.state === CLOSED) return
    this.pausers?.delete(who)
    if (this.pausers?.size > 0) return
    this.paused = false
    if (!this.gone) this.#holder().releaseSoon()
  }

  /** Holds an event back: `emit` will be called with these arguments. */
  hold(emit, data, ...args) {
    this.#holder().add(emit, data, args)
  }

  /** Nothing is held any more: events are emitted as they come, and the network is read. */
  flow() {
    this.holding = !this.options.allowSynchronousEvents
    this.settleMode()
    if (!this.gone) this.link.pause(false)
  }

  /** Starts the closing handshake of an open socket, or goes on with it. */
  close(code, data) {
    close(this, code, data)
  }

  /** The socket must be closed within `closeTimeout`. */
  startClosing() {
    this.state = CLOSING
    this.closeTimer = setTimeout(() => this.destroy(), this.options.closeTimeout)
  }

  /** Drops an open connection at once. */
  terminate() {
    if (this.state === CLOSED) return
    this.state = CLOSING
    this.destroy()
  }

  destroy() {
    if (this.destroyed || this.gone) return
    this.destroyed = true
    this.link.destroy()
  }

  /** Shuts the sending side behind what is queued. */
  end() {
    if (this.ending || this.gone || this.destroyed) return
    this.ending = true
    this.link.end()
  }

  emitMessage(data, isBinary, ends) {
    this.face.emit('message', isBinary ? shape(data, this.binaryType, ends) : data, isBinary)
  }

  emitPing(data) {
    const { autoPong, maxPendingAutoPongs } = this.options
    if (autoPong && this.state === OPEN) {
      if (maxPendingAutoPongs > 0 && this.pendingPongs >= maxPendingAutoPongs) {
        this.terminate()
      } else {
        this.pendingPongs++
        this.frame(PONG, true, true, data, () => this.pendingPongs--)
      }
    }
    this.face.emit('ping', data)
  }

  emitPong(data) {
    this.face.emit('pong', data)
  }

  emitError(error) {
    if (this.errorEmitted) return
    this.errorEmitted = true
    this.face.emit('error', error)
  }

  emitClose() {
    if (this.state === CLOSED) return
    this.state = CLOSED
    for (const ending of this.endings ?? []) ending()
    this.endings = null
    if (this.wasOpen) this.leave?.(this.face)
    this.sendingSide?.close()
    if (this.wasOpen && wanted('socket:close')) {
      const reason = String(this.closeReason)
      publish('socket:close', { ...about(this), code: this.closeCode, reason })
    }
    this.face.emit('close', this.closeCode, this.closeReason)
  }

  /** Acts on the peer's close frame: answers it, or ends when both have closed. */
  conclude(reason, code) {
    conclude(this, code, reason)
  }

  /** Acts on a frame of the peer that breaks the protocol or a limit. */
  violate(_data, violation) {
    violate(this, violation)
  }

  /** Acts on an other end that is gone without a word. The native connection is dropped. */
  lose(_data, { error }) {
    this.state = CLOSING
    this.emitError(fromNative(error))
  }

  peerEnded() {
    this.state = CLOSING
    this.end()
  }

  /** Calls one of these methods in the context of the socket. */
  within(method, ...args) {
    if (this.context === null) method.apply(this, args)
    else run(this.context, method, this, ...args)
  }

  #outbox() {
    this.outgoing ??= new Outgoing(this)
    return this.outgoing
  }

  #holder() {
    this.held ??= new Held(this)
    return this.held
  }

  #concludeGone() {
    this.outgoing?.failUnwritten()
    const held = this.arriving ? this.#holder() : this.held
    if (held !== null && (held.length > 0 || this.arriving)) {
      if (this.arriving || (!this.options.allowSynchronousEvents && !this.paused)) {
        held.add(this.emitClose, EMPTY_BUFFER, [])
        return
      }
      // What had come before a paused socket was dropped is emitted now, as ws does.
      held.emitAll()
    }
    this.emitClose()
  }
}

module.exports = SocketCore
