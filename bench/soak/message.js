'use strict'

// A message that proves itself: eight digits of its number, eight of a checksum, and a piece of noise.

const { createHash, randomBytes } = require('node:crypto')

const HEAD = 16
const LARGEST = 8 * 2 ** 20

const noise = randomBytes(LARGEST + 4096)
const letters = Buffer.from(noise.map((byte) => 97 + (byte % 26)))

/**
 * @param {number} number the number of the message on its socket
 * @return {{data: Buffer, binary: boolean}} a message of 1 B to 8 MiB, small ones more often
 */
function make(number) {
  const size = Math.max(1, Math.round(Math.exp(Math.random() * Math.log(LARGEST))))
  const binary = Math.random() < 0.8
  const head = digits(number)
  if (size < HEAD) return { data: Buffer.from(head.slice(-size).padStart(size, '0')), binary }
  const start = Math.floor(Math.random() * 4096)
  const data = Buffer.allocUnsafe(size)
  data.latin1Write(head, 0)
  ;(binary ? noise : letters).copy(data, HEAD, start, start + size - HEAD)
  data.latin1Write(checksum(data), 8)
  return { data, binary }
}

/**
 * @param {Buffer} data what has come
 * @param {boolean} binary
 * @param {number} number the number that it must have
 * @param {{size: number, binary: boolean}} sent what was sent under that number
 * @return {string|undefined} what is wrong with it
 */
function check(data, binary, number, sent) {
  if (data.length !== sent.size) return `${data.length} bytes instead of ${sent.size}`
  if (binary !== sent.binary) return 'text and binary mixed up'
  const head = digits(number)
  if (data.length < HEAD) {
    const tail = head.slice(-data.length).padStart(data.length, '0')
    return data.latin1Slice() === tail ? undefined : 'another number'
  }
  if (data.latin1Slice(0, 8) !== head) return `number ${data.latin1Slice(0, 8)}`
  return data.latin1Slice(8, HEAD) === checksum(data) ? undefined : 'damaged'
}

function digits(number) {
  return number.toString().padStart(8, '0')
}

function checksum(data) {
  return createHash('sha1').update(data.subarray(HEAD)).digest('hex').slice(0, 8)
}

module.exports = { check, make }
