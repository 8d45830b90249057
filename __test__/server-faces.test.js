'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const http = require('node:http')
const { after, before, describe, it } = require('node:test')

const hyco = require('..')
const TestRelay = require('./support/relay')
const ScriptedRelay = require('./support/scripted-relay')
const { closed, until } = require('./support/watch')

const TIMEOUT = { timeout: 60_000 }

let relay

before(async () => {
  relay = await TestRelay.start({
    hybridConnections: [{ path: 'hyco', requiresClientAuthorization: false }],
  })
})

after(() => relay.close())

/** A server, not yet listening. */
function create(options) {
  return new hyco.RelayedServer({
    server: relay.listenUri('hyco'),
    token: relay.token(),
    ...options,
  })
}

describe('a server that is wrapped', TIMEOUT, () => {
  for (const [name, wrap] of [
    ['in a proxy', (object) => new Proxy(object, {})],
    ['in a proxy that binds nothing and reads through Reflect', reflecting],
    ['by Object.create', (object) => Object.create(object)],
  ]) {
    it(`${name} works as the server does`, async () => {
      const server = create()
      const face = wrap(server)
      await new Promise((resolve) => face.once('listening', resolve))
      assert.equal(face.status, 'online')
      assert.equal(face.closeRequested, false)
      assert.equal(face.address().path, 'hyco')
      assert.equal(face.ref(), face)
      assert.equal(face.unref().ref(), face)
      const sender = hyco.relayedConnect(relay.sendUri('hyco'))
      const opened = once(sender, 'open')
      const [socket] = await once(server, 'connection')
      await opened
      const clients = wrap(face.clients)
      assert.deepEqual([clients.size, clients.has(socket), clients.indexOf(socket)], [1, true, 0])
      assert.deepEqual([...clients], [socket])
      assert.equal(face.metrics().active, 1)
      const ended = closed(sender)
      const drained = face.drain()
      await face.close()
      assert.equal(await drained, false)
      assert.equal((await ended).code, 1000)
      assert.equal(server.status, 'closed')
      await face[Symbol.asyncDispose]()
    })
  }
})

/** A proxy as libraries for observation make it: what it gives are proxies again. */
function reflecting(object) {
  return new Proxy(object, {
    get: (target, name, receiver) => Reflect.get(target, name, receiver),
    set: (target, name, value, receiver) => Reflect.set(target, name, value, receiver),
  })
}

describe('a request whose prototype is replaced', TIMEOUT, () => {
  it('keeps what it knows, as Express wants it', async () => {
    const server = create()
    await once(server, 'listening')
    const sender = hyco.relayedConnect(relay.sendUri('hyco/a?b=c'), null, {
      headers: {
        Cookie: 'a=b',
        Authorization: 'Basic abc',
        'X-Twice': ['1', '2'],
      },
    })
    const opened = once(sender, 'open')
    const [, request] = await once(server, 'connection')
    await opened
    // What `app.handle(request, response)` does first.
    Object.setPrototypeOf(request, Object.create(http.IncomingMessage.prototype))
    assert.equal(request.headers.cookie, 'a=b')
    assert.equal(request.headers.authorization, 'Basic abc')
    assert.equal(request.headers['x-twice'], '1, 2')
    assert.deepEqual(request.headersDistinct['x-twice'], ['1, 2'])
    assert.equal(request.url, '/hyco/a?b=c')
    assert.equal(request.method, 'GET')
    assert.equal(typeof request.trackingId, 'string')
    for await (const chunk of request) assert.fail(`a body: ${chunk}`)
    assert.equal(request.destroyed, true)
    assert.equal(request.aborted, false)
    sender.terminate()
    await server.close()
  })
})

/** Waits for an event, whatever errors come before it. */
function emitted(server, event) {
  return new Promise((resolve) => server.once(event, resolve))
}

describe('closeRequested', TIMEOUT, () => {
  it("set in an 'error' listener stops redialling, and the server ends with 'close'", async () => {
    const scripted = await ScriptedRelay.start()
    scripted.answers = Array.from({ length: 50 }, () => [503, 'Busy'])
    const server = new hyco.RelayedServer({
      server: scripted.listenUri,
      token: 'any',
      reconnect: { delays: [60], jitter: 0 },
    })
    const events = []
    for (const name of ['connecting', 'offline', 'error', 'close']) {
      server.on(name, () => events.push(name))
    }
    server.on('error', () => {
      server.closeRequested = true
    })
    const given = await emitted(server, 'close')
    assert.equal(given, server)
    assert.equal(server.status, 'closed')
    assert.equal(server.closeRequested, true)
    assert.deepEqual(events, ['connecting', 'offline', 'error', 'close'])
    await server.close()
    assert.equal(scripted.listened.length, 1)
    await scripted.close()
  })

  it('set while online keeps the server until its control channel is lost', async () => {
    const scripted = await ScriptedRelay.start()
    const server = new hyco.RelayedServer({
      server: scripted.listenUri,
      token: 'any',
      reconnect: { delays: [10], jitter: 0 },
    })
    server.on('error', () => {})
    await emitted(server, 'listening')
    server.closeRequested = true
    assert.equal(server.status, 'online')
    const connected = once(server, 'connection')
    const { socket } = await scripted.announce()
    const [accepted] = await connected
    const told = Promise.all([emitted(server, 'offline'), emitted(server, 'close')])
    scripted.channel.terminate()
    const [{ final }] = await told
    assert.equal(final, true)
    assert.equal(server.status, 'closed')
    assert.equal(accepted.readyState, hyco.OPEN)
    const ended = closed(accepted)
    const answered = once(socket, 'close')
    await server.close()
    assert.equal((await ended).code, 1000)
    await answered
    assert.equal(scripted.listened.length, 1)
    await scripted.close()
  })

  it('taken back before the loss lets the server come back', async () => {
    const scripted = await ScriptedRelay.start()
    const server = new hyco.RelayedServer({
      server: scripted.listenUri,
      token: 'any',
      reconnect: { delays: [10], jitter: 0 },
    })
    server.on('error', () => {})
    await emitted(server, 'listening')
    server.closeRequested = true
    server.closeRequested = false
    scripted.channel.terminate()
    await emitted(server, 'listening')
    await server.close()
    await scripted.close()
  })

  it('does not keep close() from closing', async () => {
    const server = create()
    await emitted(server, 'listening')
    server.closeRequested = true
    await server.close()
    assert.equal(server.status, 'closed')
  })
})

describe('a signal', TIMEOUT, () => {
  it('ends a server that drains', async () => {
    const controller = new AbortController()
    const server = create({ signal: controller.signal })
    await once(server, 'listening')
    const sender = hyco.relayedConnect(relay.sendUri('hyco'))
    await once(server, 'connection')
    const ended = closed(sender)
    const drained = server.drain()
    controller.abort()
    assert.equal(await drained, false)
    assert.equal((await ended).code, 1000)
    assert.equal(server.status, 'closed')
  })

  it('is let go when the server has closed', async () => {
    const listeners = new Set()
    const signal = {
      aborted: false,
      addEventListener: (name, listener) => listeners.add(listener),
      removeEventListener: (name, listener) => listeners.delete(listener),
    }
    const server = create({ signal })
    await once(server, 'listening')
    assert.equal(listeners.size, 1)
    await server.close()
    assert.equal(listeners.size, 0)
  })
})

describe('close', TIMEOUT, () => {
  it('gives up senders that are about to be met', async () => {
    const scripted = await ScriptedRelay.start()
    scripted.holdsAccepts = true
    const server = new hyco.RelayedServer({ server: scripted.listenUri, token: 'any' })
    const errors = []
    server.on('acceptError', (error) => errors.push(error))
    await once(server, 'listening')
    const met = scripted.announce()
    const { stream } = await met
    assert.equal(server.metrics().pending, 1)
    const gone = once(stream, 'close')
    await server.close()
    await gone
    assert.equal(server.metrics().pending, 0)
    assert.deepEqual(errors, [])
    await scripted.close()
  })

  it('returns a promise, also when it is called again', async () => {
    const server = create()
    const ended = once(server, 'close')
    let count = 0
    const first = server.close(() => count++)
    await Promise.all([first, server.close(), ended])
    assert.equal(await server.close(() => count++), undefined)
    await until(() => count === 2, 'both callbacks')
  })
})

describe('an error of a server', TIMEOUT, () => {
  it('points at the one who made the server, whether it is thrown or emitted', async () => {
    const here = /^.*\n    at .*server-faces\.test\.js/
    assert.throws(
      () => new hyco.RelayedServer({}),
      ({ stack }) => here.test(stack),
    )
    const server = new hyco.RelayedServer({ server: 'ws://127.0.0.1:1/$hc/hyco', token: 'any' })
    const [error] = await once(server, 'error').then(
      (args) => args,
      (error) => [error],
    )
    assert.equal(error.code, 'HYCO_ERR_CONNECT')
    assert.match(error.stack, here)
    await server.close()
  })
})
