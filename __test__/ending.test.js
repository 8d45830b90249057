'use strict'

const assert = require('node:assert/strict')
const { getEventListeners, once } = require('node:events')
const { after, before, describe, it } = require('node:test')

const hyco = require('..')
const TestRelay = require('./support/relay')

describe('the end of a server, in whatever order it is asked for', { timeout: 300_000 }, () => {
  let relay

  before(async () => {
    relay = await TestRelay.start({ hybridConnections: ['hyco'] })
  })

  after(() => relay.close())

  /** A server with one sender, and how often it was closed. */
  async function listen(options) {
    const server = new hyco.RelayedServer({
      connectionString: relay.emulator.connectionString,
      path: 'hyco',
      ...options,
    })
    let closes = 0
    server.on('close', () => closes++)
    await once(server, 'listening')
    const sender = hyco.relayedConnect(relay.sendUri('hyco'), relay.token())
    const connection = once(server, 'connection')
    await once(sender, 'open')
    await connection
    return { server, sender, closes: () => closes }
  }

  const drained = { drained: true }
  const cut = { drained: false }

  for (const [name, end, expected] of [
    ['drain(), then close()', (server) => [server.drain(), server.close()], cut],
    [
      'close(), then drain()',
      (server) => {
        const closing = server.close()
        return [server.drain(), closing]
      },
      cut,
    ],
    ['drain() twice', (server) => [server.drain({ timeout: 20 }), server.drain()], cut],
    [
      'drain(), then the end of the socket',
      (server, sender) => [server.drain(), void sender.close(1000)],
      drained,
    ],
    [
      'drain(), then Symbol.asyncDispose twice',
      (server) => [server.drain(), server[Symbol.asyncDispose](), server[Symbol.asyncDispose]()],
      cut,
    ],
  ]) {
    it(name, async () => {
      const { server, sender, closes } = await listen()
      const gone = once(sender, 'close')
      const [result] = await Promise.all(end(server, sender))
      assert.deepEqual({ drained: result }, expected)
      await gone
      await server.close()
      assert.equal(server.status, 'closed')
      assert.equal(closes(), 1)
    })
  }

  it('drain() and an aborted signal', async () => {
    const controller = new AbortController()
    const { server, closes } = await listen({ signal: controller.signal })
    const draining = server.drain()
    controller.abort()
    assert.equal(await draining, false)
    controller.abort()
    await server.close()
    assert.equal(closes(), 1)
  })

  it('drain() and its own signal, aborted later, before, or never', async () => {
    for (const when of ['later', 'before', 'never']) {
      const controller = new AbortController()
      const { signal } = controller
      const { server, sender, closes } = await listen()
      const gone = once(sender, 'close')
      if (when === 'before') controller.abort()
      const draining = server.drain({ signal })
      if (when === 'later') controller.abort()
      if (when === 'never') sender.close(1000)
      assert.equal(await draining, when === 'never', when)
      await gone
      assert.equal(closes(), 1)
      assert.equal(getEventListeners(signal, 'abort').length, 0)
    }
  })

  it('drain() of a closed server has nothing to wait for', async () => {
    const { server } = await listen()
    await server.close()
    assert.equal(await server.drain(), true)
  })

  it('drain() names what it cannot use', async () => {
    const { server } = await listen()
    for (const options of [5, null, 'soon']) {
      await assert.rejects(server.drain(options), /^TypeError: 'options' must be an object/)
    }
    for (const signal of [5, 'soon', {}]) {
      await assert.rejects(
        server.drain({ signal }),
        /^TypeError: .*signal.* must be an AbortSignal/,
      )
    }
    assert.equal(server.status, 'online')
    for (const timeout of [-1, '5', NaN, null]) {
      await assert.rejects(server.drain({ timeout }), /^TypeError: 'timeout' must be a number/)
    }
    await server.close()
  })
})
