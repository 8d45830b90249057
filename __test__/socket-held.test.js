'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { after, afterEach, before, describe, it } = require('node:test')
const { setFlagsFromString } = require('node:v8')
const { runInNewContext } = require('node:vm')

const hyco = require('..')
const { UpgradeServer } = require('./support/wires')
const { closed, turn, until } = require('./support/watch')

/** An empty text message, unmasked, as often as that. */
const empties = (count) => Buffer.alloc(2 * count, Buffer.from([0x81, 0x00]))

let wire
let peers
const opened = []

before(async () => {
  wire = await new UpgradeServer(false).listen((request, socket, head) => {
    peers.push(wire.raw(request, socket, head))
  })
})

after(() => wire.close())

afterEach(() => {
  for (const socket of opened.splice(0)) socket.terminate()
  for (const peer of peers) peer.destroy()
})

/** A socket, and its peer as plain bytes. */
async function open(options) {
  peers = []
  const socket = hyco.relayedConnect(`${wire.origin}/`, null, options)
  opened.push(socket)
  await once(socket, 'open')
  return { socket, peer: peers[0] }
}

// Without a collection the figure would count garbage, which is as much as the flood was long.
setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc')

/** What the program holds, after collecting garbage. */
async function held() {
  await turn()
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Sends a flood that nobody reads, until the network takes no more or all is sent. */
async function flood(peer, count) {
  let sent = 0
  const part = empties(10_000)
  while (sent < count) {
    sent += 10_000
    if (peer.stream.write(part)) continue
    const drained = once(peer.stream, 'drain').then(() => true)
    const quiet = new Promise((resolve) => setTimeout(resolve, 1000, false))
    if (!(await Promise.race([drained, quiet]))) return sent
  }
  return sent
}

describe('events that are held back', { timeout: 120_000 }, () => {
  it('stop the network when they cost too much, even without a payload', async () => {
    const { socket, peer } = await open({ allowSynchronousEvents: false })
    let received = 0
    let flooding = true
    socket.on('message', () => {
      received++
      // Far slower than they come, on any machine.
      const end = performance.now() + 1
      while (flooding && performance.now() < end);
    })
    const before = await held()
    // How much the network takes says nothing: its own buffers may hold all of it.
    await flood(peer, 3_000_000)
    flooding = false
    const growth = (await held()) - before
    assert.ok(growth < 128 * 1024 * 1024, `${growth} bytes are held`)
    assert.ok(received > 0)
  })

  it('are emitted one a turn, in time that does not grow with their number', async () => {
    const { socket, peer } = await open({ allowSynchronousEvents: false })
    const turns = new Set()
    let now = 0
    let received = 0
    const tick = () => {
      now++
      if (received < 4000) setImmediate(tick)
    }
    setImmediate(tick)
    socket.on('message', () => {
      received++
      turns.add(now)
    })
    peer.stream.write(empties(4000))
    await until(() => received === 4000, 'all messages')
    assert.ok(turns.size > 3900, `${turns.size} turns`)
  })

  it('are emitted in order, all of them, after the network was stopped', async () => {
    const { socket, peer } = await open({ allowSynchronousEvents: false })
    const frames = []
    for (let n = 0; n < 9000; n++) {
      const bytes = Buffer.from([0x82, 4, 0, 0, 0, 0])
      bytes.writeUInt32BE(n, 2)
      frames.push(bytes)
    }
    const seen = []
    socket.on('message', (data) => seen.push(data.readUInt32BE(0)))
    peer.stream.write(Buffer.concat(frames))
    await until(() => seen.length === 9000, 'all messages', 60_000)
    assert.ok(seen.every((n, i) => n === i))
  })

  it('find the socket CLOSING when its connection was reset, and can send nothing', async () => {
    const { socket, peer } = await open({ allowSynchronousEvents: false })
    const states = []
    const errors = []
    let received = 0
    const ended = closed(socket)
    socket.on('error', () => {})
    socket.on('message', () => {
      received++
      if (received === 1) {
        peer.stream.resetAndDestroy()
        return
      }
      states.push(socket.readyState)
      if (socket.readyState === hyco.OPEN) {
        // The reset is noticed by another thread, which gets the time for that.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
      } else if (socket.readyState === hyco.CLOSING) {
        socket.send('reply', (error) => errors.push(error.message))
        socket.ping()
        socket.pause()
        socket.resume()
        socket.close(1000)
      }
    })
    peer.stream.write(empties(3000))
    assert.equal((await ended).code, 1006)
    assert.equal(received, 3000)
    const closing = states.filter((state) => state === hyco.CLOSING).length
    assert.ok(closing > 0, 'some came after the reset')
    assert.equal(states.at(-1), hyco.CLOSING)
    await until(() => errors.length === closing, 'the callbacks')
    assert.equal(errors[0], 'WebSocket is not open: readyState 2 (CLOSING)')
  })

  it('go on after one whose listener throws', async () => {
    const { socket, peer } = await open({ allowSynchronousEvents: false })
    const errors = []
    process.setUncaughtExceptionCaptureCallback((error) => errors.push(error.message))
    try {
      let received = 0
      socket.on('message', () => {
        received++
        throw new Error(`message ${received}`)
      })
      peer.stream.write(empties(3))
      await until(() => received === 3 && errors.length === 3, 'all messages')
    } finally {
      process.setUncaughtExceptionCaptureCallback(null)
    }
    assert.deepEqual(errors, ['message 1', 'message 2', 'message 3'])
  })

  it('are all emitted, and close too, when a paused socket is dropped and a listener throws', async () => {
    const { socket, peer } = await open()
    const errors = []
    const events = []
    process.setUncaughtExceptionCaptureCallback((error) => errors.push(error.message))
    try {
      const ended = new Promise((resolve) => socket.on('close', resolve))
      socket.on('message', () => {
        events.push(`message ${events.length + 1}`)
        // Those that came with the first one are held from now on.
        if (events.length === 1) socket.pause()
        else throw new Error(events.at(-1))
      })
      peer.stream.write(empties(4))
      await until(() => events.length === 1, 'the first message')
      await turn()
      socket.terminate()
      assert.equal(await ended, 1006)
    } finally {
      process.setUncaughtExceptionCaptureCallback(null)
    }
    assert.deepEqual(events, ['message 1', 'message 2', 'message 3', 'message 4'])
    assert.deepEqual(errors, ['message 2', 'message 3', 'message 4'])
  })
})
