'use strict'

const assert = require('node:assert/strict')
const { describe, it } = require('node:test')

const Exchange = require('../lib/http/exchange')
const Outgoing = require('../lib/http/outgoing')
const { turn } = require('./support/watch')

const RING_BYTES = 64 * 1024
const [WRITE, CONSUMED, FINISH] = [1, 2, 3]

/** The native side: notes each crossing, with the commands in it. */
class Native {
  crossings = []

  exchangeFlush(ring, used) {
    assert.ok(used > 0 && used <= RING_BYTES && used % 4 === 0, `${used} bytes`)
    const words = new Uint32Array(ring.buffer, ring.byteOffset, RING_BYTES / 4)
    const commands = []
    for (let at = 0; at < used;) {
      const [exchange, kind, value] = [
        words[at >> 2],
        words[(at >> 2) + 1] >>> 28,
        words[(at >> 2) + 1] & 0xfffffff,
      ]
      at += 8
      const bytes = kind === WRITE ? Buffer.from(ring.subarray(at, at + value)) : value
      if (kind === WRITE) at += (value + 3) & ~3
      commands.push({ exchange, kind, bytes })
    }
    this.crossings.push(commands)
  }

  exchangeWrite(exchange, bytes) {
    this.crossings.push([{ exchange, kind: WRITE, bytes: Buffer.from(bytes) }])
  }

  /** All commands, in order. */
  get commands() {
    return this.crossings.flat()
  }
}

describe('what HTTP exchanges say', { timeout: 60_000 }, () => {
  it('crosses once a turn, in order, text and bytes as they are', async () => {
    const native = new Native()
    const outgoing = new Outgoing(native)
    assert.equal(outgoing.write(1, 'grüße', 'utf8'), 7)
    assert.equal(outgoing.write(2, 'grüße', 'latin1'), 5)
    assert.equal(outgoing.write(1, Buffer.from([1, 2, 3, 4, 5]), 'buffer'), 5)
    outgoing.consumed(2, 77)
    outgoing.finish(1)
    assert.equal(native.crossings.length, 0)
    await turn()
    assert.equal(native.crossings.length, 1)
    assert.deepEqual(native.commands, [
      { exchange: 1, kind: WRITE, bytes: Buffer.from('grüße') },
      { exchange: 2, kind: WRITE, bytes: Buffer.from('grüße', 'latin1') },
      { exchange: 1, kind: WRITE, bytes: Buffer.from([1, 2, 3, 4, 5]) },
      { exchange: 2, kind: CONSUMED, bytes: 77 },
      { exchange: 1, kind: FINISH, bytes: 0 },
    ])
    outgoing.finish(3)
    await turn()
    assert.equal(native.crossings.length, 2)
    outgoing.flush()
    assert.equal(native.crossings.length, 2)
  })

  it('may be that an exchange is finished, given up, failed or not served', async () => {
    const native = new Native()
    const outgoing = new Outgoing(native)
    for (const say of ['finish', 'destroy', 'threw', 'notServed']) outgoing[say](9)
    await turn()
    // As crates/hub/src/exchanges/mod.rs numbers them.
    assert.deepEqual(
      native.commands,
      [3, 4, 5, 6].map((kind) => ({ exchange: 9, kind, bytes: 0 })),
    )
  })

  it('may be more in a turn than the ring holds, in writes of any length', async () => {
    for (const length of [0, 1, 3, 4, 5, 4085, 8181, 8192]) {
      const native = new Native()
      const outgoing = new Outgoing(native)
      const count = Math.ceil((3 * RING_BYTES) / (length + 8))
      for (let n = 0; n < count; n++) {
        outgoing.write(
          n,
          n % 2 ? Buffer.alloc(length, n) : 'x'.repeat(Math.min(length, 2730)),
          'latin1',
        )
      }
      await turn()
      assert.equal(native.commands.length, count)
      native.commands.forEach(({ exchange, bytes }, n) => {
        assert.equal(exchange, n)
        const sent = n % 2 ? Buffer.alloc(length, n) : Buffer.alloc(Math.min(length, 2730), 'x')
        assert.ok(bytes.equals(sent), `write ${n} of ${length} bytes`)
      })
      assert.ok(native.crossings.length <= 8, 'no crossing for each write')
    }
  })

  it('fills the ring to its last byte with commands, and goes on', async () => {
    const native = new Native()
    const outgoing = new Outgoing(native)
    const fit = RING_BYTES / 8
    for (let n = 0; n < fit; n++) outgoing.consumed(n, n)
    assert.equal(native.crossings.length, 0)
    outgoing.finish(5)
    assert.equal(native.crossings.length, 1)
    await turn()
    assert.deepEqual(
      native.crossings.map((commands) => commands.length),
      [fit, 1],
    )
    assert.ok(native.crossings[0].every(({ exchange, bytes }, n) => exchange === n && bytes === n))
  })

  it('crosses alone where it is large, behind what was said before', async () => {
    const native = new Native()
    const outgoing = new Outgoing(native)
    outgoing.write(1, 'first', 'utf8')
    assert.equal(outgoing.write(1, Buffer.alloc(8193, 7), 'buffer'), 8193)
    assert.equal(outgoing.write(1, 'ü'.repeat(2731), 'utf8'), 5462)
    outgoing.write(1, 'last', 'utf8')
    await turn()
    assert.deepEqual(
      native.commands.map(({ bytes }) => bytes.length),
      [5, 8193, 5462, 4],
    )
    assert.equal(native.crossings.length, 4)
  })
})

describe('an exchange whose sender takes nothing', { timeout: 60_000 }, () => {
  it('has handed over 256 KiB at the most, and gets the next write when there is room', async () => {
    const native = new Native()
    const info = { trackingId: 'id', remoteAddress: '::1', remotePort: 1, encrypted: true }
    const exchange = new Exchange(new Outgoing(native), 1, info)
    const sent = Buffer.alloc(1024 * 1024).map((_, at) => at >> 10)
    let isWritten = false
    exchange.write(sent, () => (isWritten = true))
    const handedOver = () => Buffer.concat(native.commands.map(({ bytes }) => bytes))
    let taken = 0
    while (taken < sent.length) {
      await turn()
      const waiting = handedOver().length - taken
      assert.ok(waiting > 0 && waiting <= 256 * 1024, `${waiting} bytes wait`)
      assert.equal(isWritten, taken + waiting === sent.length && waiting <= 128 * 1024)
      exchange.taken(waiting)
      taken += waiting
    }
    assert.ok(handedOver().equals(sent))
    assert.equal(isWritten, true)
    exchange.destroy()
  })

  it('has handed over 256 KiB at the most of many small writes, too', async () => {
    const native = new Native()
    const info = { trackingId: 'id', remoteAddress: '::1', remotePort: 1, encrypted: true }
    const exchange = new Exchange(new Outgoing(native), 1, info)
    for (let n = 0; n < 1024; n++) exchange.write(Buffer.alloc(1024))
    await turn()
    const bytes = native.commands.reduce((sum, command) => sum + command.bytes.length, 0)
    assert.ok(bytes > 128 * 1024 && bytes <= 256 * 1024, `${bytes} bytes`)
    exchange.destroy()
  })
})
