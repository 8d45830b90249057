'use strict'

const assert = require('node:assert/strict')
const { describe, it } = require('node:test')

const hyco = require('..')
const Held = require('../lib/socket/held')
const { turn, until } = require('./support/watch')

const TIMEOUT = { timeout: 300_000 }

/** What events may cost before the network is stopped, and what each costs beside its payload. */
const MOST = 1024 * 1024
const EVENT_COST = 256

/** Stands for a socket: notes what is emitted, and whether its network is stopped. */
class Core {
  context = null
  gone = false
  paused = false
  state = hyco.OPEN
  emitted = []
  stops = []
  flowing = 0
  /** How many events were held when the network was let go on. */
  left = 0
  link = {
    pause: (stop) => {
      this.stops.push(stop)
      this.left = this.held.length
    },
    guard: (fn) => fn(),
  }

  constructor(allowSynchronousEvents = false) {
    this.options = { allowSynchronousEvents }
    this.held = new Held(this)
  }

  flow() {
    this.flowing++
  }

  emit(data, ...args) {
    this.emitted.push([data, ...args])
  }

  hold(data, ...args) {
    this.held.add(this.emit, data, args)
  }
}

describe('what is held back', TIMEOUT, () => {
  for (const size of [0, 1000, 100_000]) {
    it(`stops the network when it costs too much, with payloads of ${size} bytes`, async () => {
      const core = new Core()
      const most = Math.floor(MOST / (EVENT_COST + size))
      for (let n = 0; n < most; n++) core.hold(Buffer.alloc(size))
      assert.deepEqual(core.stops, [])
      for (let n = 0; n < 3; n++) core.hold(Buffer.alloc(size))
      assert.deepEqual(core.stops, [true], 'once')
      await until(() => core.stops.length === 2, 'the network goes on')
      assert.deepEqual(core.stops, [true, false])
      const rest = core.left * (EVENT_COST + size)
      assert.ok(rest <= MOST / 2, `${rest} are left`)
      assert.ok(rest > MOST / 2 - (EVENT_COST + size), `${rest} are left`)
      await until(() => core.flowing === 1, 'the end of it')
      assert.equal(core.emitted.length, most + 3)
      assert.deepEqual(core.stops, [true, false])
    })
  }

  it('stops the network again when it costs too much again', async () => {
    const core = new Core()
    for (let n = 0; n < 2; n++) {
      core.hold(Buffer.alloc(MOST))
      assert.deepEqual(core.stops.splice(0), [true])
      await until(() => core.held.length === 0, 'all is emitted')
      assert.equal(core.flowing, n + 1)
      core.stops.length = 0
    }
  })

  it('leaves alone the network of a socket that is paused, or gone', () => {
    for (const name of ['paused', 'gone']) {
      const core = new Core()
      core[name] = true
      core.hold(Buffer.alloc(MOST))
      assert.deepEqual(core.stops, [], name)
    }
  })

  it('comes one event a turn, with its arguments, or all in one where that is allowed', async () => {
    const slow = new Core()
    slow.hold(Buffer.from('a'), true, [1])
    slow.hold(Buffer.from('b'), false)
    assert.deepEqual(slow.emitted, [])
    await turn()
    assert.deepEqual(slow.emitted, [[Buffer.from('a'), true, [1]]])
    await until(() => slow.flowing === 1, 'the other')
    assert.deepEqual(slow.emitted[1], [Buffer.from('b'), false])

    const quick = new Core(true)
    quick.paused = true
    quick.hold(Buffer.from('a'))
    quick.hold(Buffer.from('b'))
    await turn()
    assert.deepEqual(quick.emitted, [])
    quick.paused = false
    quick.held.releaseSoon()
    assert.deepEqual(quick.emitted, [])
    await Promise.resolve()
    await new Promise(process.nextTick)
    assert.deepEqual(quick.emitted, [[Buffer.from('a')], [Buffer.from('b')]])
    assert.equal(quick.flowing, 1)
  })

  it('is not emitted after the socket has closed', async () => {
    const core = new Core()
    core.emit = function (data) {
      Core.prototype.emit.call(this, data)
      this.state = hyco.CLOSED
    }
    core.hold(Buffer.from('a'))
    core.hold(Buffer.from('b'))
    await until(() => core.emitted.length > 0, 'the first')
    for (let n = 0; n < 5; n++) await turn()
    assert.equal(core.emitted.length, 1)
    assert.equal(core.flowing, 0)
  })

  it('does not keep a large memory for a small message', () => {
    const core = new Core()
    core.paused = true
    const memory = Buffer.alloc(4000)
    const small = memory.subarray(0, 999)
    const large = memory.subarray(0, 1000)
    core.hold(small)
    core.hold(large)
    core.held.emitAll()
    assert.notEqual(core.emitted[0][0].buffer, memory.buffer)
    assert.deepEqual(core.emitted[0][0], small)
    assert.equal(core.emitted[1][0].buffer, memory.buffer)
  })
})
