'use strict'

// What listeners send leaves when the delivery that called them is over, by no call of its own.

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { test } = require('node:test')
const { WebSocketServer } = require('ws')

const { Hub } = require('../lib/hub/hub')
const { SOCKET_DEFAULTS, socketOptions } = require('../lib/options/options')
const { createSocket } = require('../lib/socket/relayed-socket')
const { uncaught } = require('./support/watch')

const TIMEOUT = { timeout: 120_000 }
const ROUNDS = 20

/** A socket of a hub of its own, whose sockets all have that home, and the server's end of it. */
async function pair(t, home) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  t.after(() => server.close())
  await once(server, 'listening')
  const address = `ws://127.0.0.1:${server.address().port}`
  const before = process.env.HYCO_RS_HOMES
  process.env.HYCO_RS_HOMES = home
  let hub
  try {
    hub = new Hub()
  } finally {
    if (before === undefined) delete process.env.HYCO_RS_HOMES
    else process.env.HYCO_RS_HOMES = before
  }
  const core = createSocket(address, socketOptions(SOCKET_DEFAULTS))
  hub.connect(core, { address, headers: [], protocols: [], timeout: 10_000 })
  const [[peer]] = await Promise.all([once(server, 'connection'), once(core.face, 'open')])
  t.after(() => core.face.terminate())
  return [core.face, peer]
}

for (const home of ['thread', 'loop']) {
  test(`callbacks of answers are called in order, each once (${home})`, TIMEOUT, async (t) => {
    const [socket, peer] = await pair(t, home)
    const called = []
    socket.on('message', () => {
      for (const name of ['a', 'b']) socket.send(name, () => called.push(name))
      called.push('returned')
    })
    for (let round = 0; round < ROUNDS; round++) {
      const answers = []
      const all = new Promise((resolve) => {
        peer.on('message', (data) => {
          if (answers.push(String(data)) === 2) resolve()
        })
      })
      peer.send('question')
      await all
      peer.removeAllListeners('message')
      assert.deepEqual(answers, ['a', 'b'])
    }
    // The last ones may come after the answers.
    while (called.length < ROUNDS * 3) await new Promise(setImmediate)
    for (let i = 0; i < called.length; i += 3) {
      assert.deepEqual(called.slice(i, i + 3), ['returned', 'a', 'b'])
    }
    assert.equal(called.length, ROUNDS * 3)
  })

  test(
    `answers larger than what is flushed at once keep their order (${home})`,
    TIMEOUT,
    async (t) => {
      const [socket, peer] = await pair(t, home)
      const sizes = Array.from({ length: 400 }, (_, i) => [64, 4_000, 5_000, 130_000][i % 4])
      let called = 0
      socket.once('message', () => {
        for (const [i, size] of sizes.entries()) {
          socket.send(Buffer.alloc(size, i), (error) => {
            assert.ifError(error)
            assert.equal(called++, i)
          })
        }
      })
      let received = 0
      const all = new Promise((resolve) => {
        peer.on('message', (data) => {
          assert.ok(data.equals(Buffer.alloc(sizes[received], received)), `message ${received}`)
          if (++received === sizes.length) resolve()
        })
      })
      peer.send('question')
      await all
      while (called < sizes.length) await new Promise(setImmediate)
    },
  )

  test(`an answer leaves although its listener throws afterwards (${home})`, TIMEOUT, async (t) => {
    const [socket, peer] = await pair(t, home)
    socket.on('message', (data) => {
      socket.send(data)
      throw new Error('on purpose')
    })
    const errors = await uncaught(async () => {
      for (let round = 0; round < ROUNDS; round++) {
        peer.send(`question ${round}`)
        assert.equal(String((await once(peer, 'message'))[0]), `question ${round}`)
      }
    })
    assert.equal(errors.length, ROUNDS)
  })
}
