'use strict'

const { Buffer } = require('node:buffer')
const { OPEN } = require('ws')

const { captureQuickly, run } = require('../context')
const Fifo = require('../fifo')
const { nextTick } = require('../globals')
const { isBlob, sizeOf, toBuffer } = require('./payload')

/**
 * What a socket has to remember of what it sends: the callbacks, in the order of their frames, and
 * the frames that wait for a Blob to be read.
 */
class Outgoing {
  #core
  #callbacks = new Fifo()
  /** Written frames whose callbacks were not called yet. */
  #written = 0
  #waiting = new Fifo()

  /** @param {SocketCore} core */
  constructor(core) {
    this.#core = core
    /** Whether a Blob is being read. */
    this.reading = false
  }

  /** @param {Function} cb Called when the frame that was just sent has been written */
  expect(cb) {
    this.#callbacks.push(cb)
  }

  /** @param {Number} count So many more frames with callbacks were written */
  acknowledge(count) {
    this.#written += count
    // The one who flushed is not the one who sent.
    const foreign = captureQuickly() !== null
    try {
      while (this.#written > 0) {
        this.#written--
        const callback = this.#callbacks.shift()
        if (callback === undefined) continue
        if (foreign) run(null, callback, undefined, null)
        else callback(null)
      }
    } finally {
      // A callback threw: the others are called all the same.
      if (this.#written > 0) nextTick(() => this.acknowledge(0))
    }
  }

  /** Reports that nothing more will be written. */
  failUnwritten() {
    // Those behind a callback that threw were not told yet that theirs was written.
    const written = this.#written
    this.#written = 0
    const callbacks = this.#callbacks.takeAll()
    if (callbacks.length === 0) return
    const error = new Error('Cannot call write after a stream was destroyed')
    error.code = 'ERR_STREAM_DESTROYED'
    callbacks.forEach((callback, i) => this.#guard(callback, i < written ? null : error))
  }

  /** Queues a frame behind the Blob that is being read, or reads the Blob that it is. */
  wait(opcode, fin, mask, payload, cb) {
    const frame = { opcode, fin, mask, payload, cb }
    this.#core.waitingBytes += sizeOf(payload)
    if (!this.reading) this.#read(frame)
    // A frame that waits must not change with the caller's buffer.
    else this.#waiting.push({ ...frame, payload: ownCopy(payload) })
  }

  #read(frame) {
    this.reading = true
    bytesOf(frame.payload).then(
      // In a turn of its own: what a callback throws is no rejection of this promise.
      (bytes) => nextTick(() => this.#go(frame, bytes)),
      (error) => nextTick(() => this.#fail(frame, error)),
    )
  }

  /** Sends what was read, and what waited for it. */
  #go(frame, bytes) {
    const core = this.#core
    if (core.destroyed || core.gone) {
      this.#failWaiting(frame, new Error('The socket was closed while the blob was being read'))
      return
    }
    if (core.ending) {
      const error = new Error('write after end')
      error.code = 'ERR_STREAM_WRITE_AFTER_END'
      this.#failWaiting(frame, error)
      return
    }
    this.reading = false
    this.#send({ ...frame, payload: bytes }, frame.payload.size)
    while (!this.reading && this.#waiting.length > 0) {
      const next = this.#waiting.shift()
      if (isBlob(next.payload)) this.#read(next)
      else this.#send(next, sizeOf(next.payload))
    }
  }

  #send({ opcode, fin, mask, payload, cb }, size) {
    this.#core.waitingBytes -= size
    this.#core.frame(opcode, fin, mask, payload, cb)
  }

  /** A Blob could not be read: nothing behind it can be sent, so the socket ends. */
  #fail(frame, error) {
    const core = this.#core
    this.#failWaiting(frame, error)
    if (core.gone) return
    if (core.state === OPEN) core.startClosing()
    core.end()
    run(core.context, core.emitError, core, error)
  }

  /** Reports that frames which wait for a Blob will never be sent. */
  #failWaiting(first, error) {
    for (const { cb } of [first, ...this.#waiting.takeAll()]) {
      if (typeof cb === 'function') this.#guard(cb, error)
    }
  }

  /** What a callback throws does not keep the others from being called. */
  #guard(callback, error) {
    this.#core.link.guard(run, null, callback, undefined, error)
  }
}

/**
 * @param {Blob} blob
 * @return {Promise<Buffer>}
 */
async function bytesOf(blob) {
  return toBuffer(await blob.arrayBuffer())
}

function ownCopy(payload) {
  return typeof payload === 'string' || isBlob(payload) ? payload : Buffer.from(payload)
}

module.exports = Outgoing
