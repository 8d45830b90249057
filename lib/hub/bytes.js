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

module.exports = { FastBuffer, allocUnsafeSlow, copyInto, lengthOf, toBuffer, transfer, writeText }
