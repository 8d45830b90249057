'use strict'

// The global is an accessor, which costs at every use.
const { Buffer } = require('node:buffer')

const { lengthOf } = require('../hub/bytes')

const FastBuffer = Buffer[Symbol.species]
const EMPTY_BUFFER = Buffer.alloc(0)

/** The opcodes of frames. */
const CONTINUATION = 0
const TEXT = 1
const BINARY = 2
const CLOSE = 8
const PING = 9
const PONG = 10

/** The values of `binaryType`, the default first. */
const BINARY_TYPES = ['nodebuffer', 'arraybuffer', 'fragments', 'blob']

/**
 * @param {*} value
 * @returns {boolean} whether it is a Blob, of this or another realm
 */
function isBlob(value) {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof value.arrayBuffer === 'function' &&
    typeof value.type === 'string' &&
    typeof value.stream === 'function' &&
    (value[Symbol.toStringTag] === 'Blob' || value[Symbol.toStringTag] === 'File')
  )
}

/**
 * A view of what the user gave, copied only where it is no memory of its own.
 *
 * @param {*} data a Buffer, ArrayBuffer, view, string or what `Buffer.from` takes
 * @returns {Buffer}
 */
function toBuffer(data) {
  if (Buffer.isBuffer(data)) return data
  if (data instanceof ArrayBuffer) return new FastBuffer(data)
  if (ArrayBuffer.isView(data)) return new FastBuffer(data.buffer, data.byteOffset, data.byteLength)
  return Buffer.from(data)
}

/**
 * @param {(String|Uint8Array|Blob)} payload
 * @return {Number} Its bytes
 */
function sizeOf(payload) {
  if (typeof payload === 'string') return Buffer.byteLength(payload)
  return isBlob(payload) ? payload.size : lengthOf(payload)
}

/**
 * The payload of a ping or pong.
 *
 * @param {*} data
 * @returns {Buffer|string|Blob}
 * @throws {RangeError} above 125 bytes
 */
function controlPayload(data) {
  if (typeof data === 'number') data = data.toString()
  const payload = data ? (typeof data === 'string' || isBlob(data) ? data : toBuffer(data)) : ''
  if (sizeOf(payload) > 125) {
    throw new RangeError('The data size must not be greater than 125 bytes')
  }
  return payload
}

/**
 * The payload of a close frame.
 *
 * @param {number} [code]
 * @param {string|Uint8Array} [data]
 * @returns {Buffer}
 * @throws {TypeError} for a code that must not be sent, or a reason of another type
 * @throws {RangeError} for a reason above 123 bytes
 */
function closePayload(code, data) {
  if (code === undefined) return EMPTY_BUFFER
  if (typeof code !== 'number' || !isValidCloseCode(code)) {
    throw new TypeError('First argument must be a valid error code number')
  }
  const length = data === undefined || !data.length ? 0 : Buffer.byteLength(data)
  if (length > 123) throw new RangeError('The message must not be greater than 123 bytes')
  const payload = Buffer.alloc(2 + length)
  payload.writeUInt16BE(code, 0)
  if (length > 0) {
    if (typeof data === 'string') payload.write(data, 2)
    else if (data instanceof Uint8Array) payload.set(data, 2)
    else throw new TypeError('Second argument must be a string or a Uint8Array')
  }
  return payload
}

/** Whether RFC 6455 lets an endpoint send this code. */
function isValidCloseCode(code) {
  return (
    (code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006) ||
    (code >= 3000 && code <= 4999)
  )
}

/**
 * Gives a binary message the type that the user asked for.
 *
 * @param {Buffer} data
 * @param {string} binaryType
 * @param {number[]} [ends] where its fragments end, when it had several
 * @returns {Buffer|ArrayBuffer|Buffer[]|Blob}
 */
function shape(data, binaryType, ends) {
  switch (binaryType) {
    case 'arraybuffer':
      // A copy, also of a buffer of its own: what native memory backs cannot be transferred.
      return data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength)
    case 'blob':
      return new Blob([data])
    case 'fragments':
      return fragments(data, ends)
    default:
      return data
  }
}

function fragments(data, ends) {
  if (data.length === 0) return []
  if (ends === undefined) return [data]
  let start = 0
  const parts = []
  for (const end of ends) {
    if (end > start) parts.push(data.subarray(start, end))
    start = end
  }
  return parts
}

module.exports = {
  BINARY,
  BINARY_TYPES,
  CLOSE,
  CONTINUATION,
  PING,
  PONG,
  TEXT,
  closePayload,
  controlPayload,
  isBlob,
  shape,
  sizeOf,
  toBuffer,
}
