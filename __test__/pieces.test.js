'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')

const Memory = require('../lib/hub/memory')

const TIMEOUT = { timeout: 60_000 }
const STAGE = 8 * 1024

/** Memory whose stage has a byte in it that depends on where it lies. */
function memory() {
  const made = new Memory(STAGE)
  for (let i = 0; i < STAGE; i++) made.stage[i] = i % 251
  return made
}

/** Takes for each of `count` sockets. @returns {ArrayBuffer[]} where each has its bytes */
function round(made, count, size) {
  return Array.from({ length: count }, (_, number) => made.take(number, 0, size).buffer)
}

test('5,000 sockets that take turns keep their memory', TIMEOUT, () => {
  const made = memory()
  const first = round(made, 5_000, 64)
  assert.equal(new Set(first).size, 5_000)
  for (let i = 0; i < 10; i++) {
    const changed = round(made, 5_000, 64).filter((buffer, number) => buffer !== first[number])
    assert.equal(changed.length, 0)
  }
})

test('a crowd that used up its memory gets small pieces, and loses none', TIMEOUT, () => {
  const made = memory()
  const count = 5_000
  // More than all may hold, if each had the largest piece.
  let last = round(made, count, 512)
  let replaced = 0
  for (let i = 0; i < 100; i++) {
    const next = round(made, count, 512)
    for (let j = 0; j < count; j++) if (next[j] !== last[j]) replaced++
    last = next
  }
  // A piece of 1 KiB has room for two of these, one of 4 KiB for eight.
  assert.ok(replaced < (100 * count) / 2, `${replaced} pieces for ${100 * count} messages`)
})

test('sockets that rest lose their memory when too many others need some', TIMEOUT, () => {
  const made = memory()
  const kept = made.take(0, 0, 8).buffer
  assert.ok(made.take(0, 0, 8).buffer === kept)
  for (let number = 1; number <= 16_384; number++) made.take(number, 0, 8)
  assert.ok(made.take(0, 0, 8).buffer !== kept)
})

test('every size finds room, also when the pieces may not grow', TIMEOUT, () => {
  for (const crowd of [0, 16_383]) {
    const made = memory()
    for (let number = 1; number <= crowd; number++) made.take(number, 0, 8)
    for (const size of [1000, 1024, 1025, 2000, 3000, 4096, 4097, 7000, 8000]) {
      for (const start of [0, 3]) {
        const { buffer, at } = made.take(0, start, size)
        const expected = made.stage.subarray(start, start + size)
        assert.ok(expected.equals(Buffer.from(buffer, at, size)), `${size} of ${crowd}`)
      }
    }
  }
})

test('a socket begins with 1 KiB, and gets twice as much each time, up to 16 KiB', TIMEOUT, () => {
  const made = memory()
  const sizes = []
  let last
  while (sizes.length < 7) {
    const { buffer } = made.take(0, 0, 512)
    if (buffer !== last) sizes.push(buffer.byteLength)
    last = buffer
  }
  assert.deepEqual(sizes, [1024, 2048, 4096, 8192, 16_384, 16_384, 16_384])
})

test('a run of more than 4 KiB that has no room gets a piece of its size', TIMEOUT, () => {
  const made = memory()
  while (made.take(0, 0, 512).buffer.byteLength < 16_384);
  // What is left of that piece has room for three, and the next one for four.
  const pieces = Array.from({ length: 7 }, () => made.take(0, 0, 4096).buffer)
  assert.equal(new Set(pieces).size, 2)
  assert.equal(made.take(0, 0, 4104).buffer.byteLength, 4104)
})
