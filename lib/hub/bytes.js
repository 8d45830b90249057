'use strict'

/**
 * What the data plane asks of bytes, taken when the package is loaded: a program may patch the
 * prototypes, or hand over an object whose own `length` lies.
 */

const { Buffer } = require('node:buffer')

const { getOwnPropertyDescriptor, getPrototypeOf } = Object
const uncurry = (method) => Function.prototype.call.bind(method)

const TypedArray = getPrototypeOf(Uint8Array.prototype)

/** The length of a Uint8Array, of whatever class. @type {(bytes: Uint8Array) => number} */
const lengthOf = uncurry(getOwnPropertyDescriptor(TypedArray, 'byteLength').get)

/** @type {(target: Uint8Array, source: Uint8Array, at: number) => void} */
const copyInto = uncurry(TypedArray.set)

/** Writes a string as UTF-8. @type {(target: Buffer, text: string, at: number) => number} */
const writeText = uncurry(Buffer.prototype.write)

/** Of `ArrayBuffer.prototype`, where the runtime has it. @type {Function|undefined} */
const { transfer } = ArrayBuffer.prototype

/** A Buffer without the checks of `Buffer.from`. */
const FastBuffer = Buffer[Symbol.species]

const { allocUnsafeSlow, from: toBuffer } = Buffer

/**
 * Copies what is handed to the program. `Buffer.from` and `Buffer.concat` would put a short copy into
 * the memory that Node shares among all Buffers; a program that moves its message would take that
 * away, and every `Buffer.from` of the process would throw from then on.
 *
 * @param {Uint8Array} bytes
 * @returns {Buffer} with memory of its own
 */
function copyOf(bytes) {
  const copy = allocUnsafeSlow(lengthOf(bytes))
  copyInto(copy, bytes, 0)
  return copy
}

module.exports = {
  FastBuffer,
  allocUnsafeSlow,
  copyInto,
  copyOf,
  lengthOf,
  toBuffer,
  transfer,
  writeText,
}
