'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { after, before, describe, it } = require('node:test')

const hyco = require('..')
const TestRelay = require('./support/relay')
const { closed, turn, until } = require('./support/watch')

const LONG = 600_000

let relay

before(async () => {
  relay = await TestRelay.start({
    hybridConnections: [{ path: 'hyco', requiresClientAuthorization: false }],
  })
})

after(() => relay.close())

const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length

/** Waits until no timer runs, of whatever went before. */
async function quiet() {
  while (timers() > 0) await turn()
}

const connect = () => hyco.relayedConnect(relay.sendUri('hyco'))

async function listen(options) {
  const server = new hyco.RelayedServer({
    server: relay.listenUri('hyco'),
    token: relay.token(),
    ...options,
  })
  await once(server, 'listening')
  return server
}

/** A signal that counts its listeners. */
function countedSignal() {
  const controller = new AbortController()
  const { signal } = controller
  const { addEventListener, removeEventListener } = signal
  const counted = { controller, signal, listeners: 0 }
  signal.addEventListener = (...args) => {
    counted.listeners++
    addEventListener.apply(signal, args)
  }
  signal.removeEventListener = (...args) => {
    counted.listeners--
    removeEventListener.apply(signal, args)
  }
  return counted
}

describe('a server that has ended', { timeout: 120_000 }, () => {
  it('has no timer left of a drain() that was over early', async () => {
    const server = await listen()
    const [[socket], sender] = await Promise.all([once(server, 'connection'), connect()])
    if (sender.readyState !== hyco.OPEN) await once(sender, 'open')
    await quiet()
    const drained = server.drain({ timeout: LONG })
    assert.equal(timers(), 1)
    socket.close()
    assert.equal(await drained, true)
    if (sender.readyState !== hyco.CLOSED) await once(sender, 'close')
    assert.equal(timers(), 0)
  })

  it('sets no timer for a drain() without an end', async () => {
    const server = await listen()
    const [[socket]] = await Promise.all([once(server, 'connection'), connect()])
    await quiet()
    const drained = server.drain()
    assert.equal(timers(), 0)
    socket.terminate()
    assert.equal(await drained, true)
  })

  for (const answer of [true, false]) {
    it(`has no timer left of a verifyClient that said ${answer}`, async () => {
      let decide
      const server = await listen({
        acceptTimeout: LONG,
        verifyClient: (info, cb) => {
          decide = cb
        },
      })
      await quiet()
      const sender = connect()
      sender.on('error', () => {})
      await until(() => decide !== undefined, 'the question')
      assert.equal(timers(), 1)
      const settled = answer ? once(server, 'connection') : closed(sender)
      decide(answer)
      assert.equal(timers(), 0)
      await settled
      await server.close()
    })
  }

  it('has no timer left of handlers that answer with promises, and of those given up', async () => {
    const never = new Promise(() => {})
    await quiet()
    for (const name of ['verifyClient', 'handleProtocols']) {
      const server = await listen({ acceptTimeout: LONG, [name]: () => never })
      const sender = hyco.relayedConnect(relay.sendUri('hyco'), null, { protocols: ['a'] })
      sender.on('error', () => {})
      await until(() => server.metrics().pending === 1, 'the question')
      assert.equal(timers(), 1)
      await Promise.all([closed(sender), server.close()])
      assert.equal(timers(), 0)
    }
  })

  it('has one timer, the one of handleProtocols, once verifyClient has decided', async () => {
    let decide
    const server = await listen({
      acceptTimeout: LONG,
      verifyClient: (info, cb) => {
        decide = cb
      },
      handleProtocols: () => new Promise(() => {}),
    })
    await quiet()
    const sender = hyco.relayedConnect(relay.sendUri('hyco'), null, { protocols: ['a'] })
    sender.on('error', () => {})
    await until(() => decide !== undefined, 'the question')
    assert.equal(timers(), 1)
    decide(true)
    assert.equal(timers(), 1)
    await Promise.all([closed(sender), server.close()])
    assert.equal(timers(), 0)
  })

  it('no longer listens to the signal of a drain() that is over', async () => {
    const counted = countedSignal()
    const server = await listen()
    const drained = server.drain({ signal: counted.signal })
    assert.equal(counted.listeners, 1)
    assert.equal(await drained, true)
    assert.equal(counted.listeners, 0)
  })

  it('no longer listens to its signal', async () => {
    const counted = countedSignal()
    const server = await listen({ signal: counted.signal })
    assert.equal(counted.listeners, 1)
    await server.close()
    assert.equal(counted.listeners, 0)
  })

  it('is closed by its signal while it drains', async () => {
    const counted = countedSignal()
    const server = await listen({ signal: counted.signal })
    const [, sender] = await Promise.all([once(server, 'connection'), connect()])
    const ended = closed(sender)
    const drained = server.drain({ timeout: LONG })
    counted.controller.abort()
    assert.equal(await drained, false)
    assert.equal((await ended).code, 1000)
    assert.equal(counted.listeners, 0)
  })
})

describe('a socket that is open', { timeout: 120_000 }, () => {
  it('has no timer left of the wait for its token', async () => {
    const server = await listen()
    await quiet()
    let give
    const token = new Promise((resolve) => {
      give = resolve
    })
    const sender = hyco.relayedConnect(relay.sendUri('hyco'), token, { openTimeout: LONG })
    assert.equal(timers(), 1)
    give(relay.token())
    await once(sender, 'open')
    assert.equal(timers(), 0)
    sender.terminate()
    await server.close()
  })
})
