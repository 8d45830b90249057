'use strict'

// Many sockets at once: what is sent to more than a few of them in one turn is written by the I/O
// thread, which naps while JavaScript works through what they received.

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { after, before, describe, it } = require('node:test')
const { WebSocketServer } = require('ws')

const { relayedConnect } = require('..')

const TIMEOUT = { timeout: 300_000 }

const SOCKETS = 40

describe('a crowd of sockets', TIMEOUT, () => {
  let server
  let address

  before(async () => {
    server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    await once(server, 'listening')
    address = `ws://127.0.0.1:${server.address().port}`
    server.on('connection', (peer) => {
      peer.on('message', (data, isBinary) => peer.send(data, { binary: isBinary }))
    })
  })

  after(() => server.close())

  async function connect(count = SOCKETS) {
    const sockets = Array.from({ length: count }, () => relayedConnect(address, null))
    await Promise.all(sockets.map((socket) => once(socket, 'open')))
    return sockets
  }

  async function close(sockets) {
    const closed = sockets.map((socket) => once(socket, 'close'))
    for (const socket of sockets) socket.close()
    await Promise.all(closed)
  }

  /** Resolves with the first `count` messages of a socket, as text. */
  function messages(socket, count) {
    const received = []
    return new Promise((resolve) => {
      socket.on('message', (data) => {
        received.push(String(data))
        if (received.length === count) resolve(received)
      })
    })
  }

  it('is written to in one turn, and calls every callback once, without an error', async () => {
    const sockets = await connect()
    const echoes = sockets.map((socket) => messages(socket, 2))
    const called = sockets.map(() => [])
    for (const [i, socket] of sockets.entries()) {
      socket.send(`first ${i}`, (error) => called[i].push(['first', error]))
    }
    for (const [i, socket] of sockets.entries()) {
      socket.send(`second ${i}`, (error) => called[i].push(['second', error]))
    }
    for (const [i, received] of (await Promise.all(echoes)).entries()) {
      assert.deepEqual(received, [`first ${i}`, `second ${i}`])
    }
    await close(sockets)
    for (const calls of called) {
      assert.equal(calls.length, 2)
      assert.deepEqual(
        calls.map(([name, error]) => [name, error ?? null]),
        [
          ['first', null],
          ['second', null],
        ],
      )
    }
  })

  it('keeps the order of each socket when frames of all sizes alternate between them', async () => {
    const sockets = await connect(12)
    const sizes = [1, 200, 3_000, 5_000, 20_000, 150_000]
    const expected = Array.from({ length: 60 }, (_, n) => `${n}:`.padEnd(sizes[n % 6], 'x'))
    const echoes = sockets.map((socket) => messages(socket, expected.length))
    for (const text of expected) {
      for (const socket of sockets) socket.send(text)
    }
    for (const received of await Promise.all(echoes)) {
      for (const [n, text] of received.entries()) assert.ok(text === expected[n], `message ${n}`)
    }
    await close(sockets)
  })

  /** Has every socket count to `rounds`, each number sent when the one before has come back. */
  async function count(sockets, rounds, work) {
    const done = sockets.map(
      (socket) =>
        new Promise((resolve) => {
          socket.on('message', (data) => {
            const n = Number(data)
            work(() => (n === rounds ? resolve() : socket.send(String(n + 1))))
          })
        }),
    )
    for (const socket of sockets) socket.send('0')
    await Promise.all(done)
  }

  it('loses nothing while listeners take longer than the I/O thread waits for them', async () => {
    const sockets = await connect(8)
    await count(sockets, 20, (answer) => {
      const until = performance.now() + 2
      while (performance.now() < until);
      answer()
    })
    await close(sockets)
  })

  it('answers from a later microtask as well as from the listener itself', async () => {
    const sockets = await connect()
    await count(sockets, 30, (answer) => queueMicrotask(answer))
    await close(sockets)
  })

  it('does not tell new sockets of frames of those that were dropped with frames on the way', async () => {
    for (let round = 0; round < 5; round++) {
      const dropped = await connect()
      const called = dropped.map(() => 0)
      const closed = dropped.map((socket) => once(socket, 'close'))
      for (const [i, socket] of dropped.entries()) {
        socket.send(Buffer.alloc(10_000), () => called[i]++)
        socket.terminate()
      }
      await Promise.all(closed)
      assert.deepEqual(new Set(called), new Set([1]))

      // They have the numbers of the dropped ones.
      const sockets = await connect()
      const written = sockets.map(() => 0)
      const echoes = sockets.map((socket) => messages(socket, 1))
      for (const [i, socket] of sockets.entries()) socket.send('new', () => written[i]++)
      await Promise.all(echoes)
      await close(sockets)
      assert.deepEqual(new Set(written), new Set([1]))
    }
  })

  it('is opened and given up at once without a trace', async () => {
    const sockets = Array.from({ length: SOCKETS }, () => relayedConnect(address, null))
    const closed = sockets.map((socket) => new Promise((resolve) => socket.on('close', resolve)))
    for (const socket of sockets) {
      socket.on('error', () => {})
      socket.terminate()
    }
    assert.deepEqual(new Set(await Promise.all(closed)), new Set([1006]))
  })
})
