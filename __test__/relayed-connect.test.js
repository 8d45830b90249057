'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const http = require('node:http')
const net = require('node:net')
const { after, before, describe, it } = require('node:test')

const hyco = require('..')
const TestRelay = require('./support/relay')
const { closed, failed, message, uncaught, until } = require('./support/watch')

const TIMEOUT = { timeout: 300_000 }

const EARLY = 'WebSocket was closed before the connection was established'

let relay
let server

before(async () => {
  relay = await TestRelay.start({ hybridConnections: ['hyco', 'empty', 'counted'] })
  server = hyco.createRelayedServer(
    { server: relay.listenUri('hyco'), token: relay.token() },
    (socket) => socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })),
  )
  await once(server, 'listening')
})

after(async () => {
  await new Promise((resolve) => server.close(resolve))
  await relay.close()
})

const uri = () => relay.sendUri('hyco')

/** Sends through a socket and waits for the echo. */
async function echoes(socket) {
  if (socket.readyState === hyco.CONNECTING) await once(socket, 'open')
  socket.send('hello')
  assert.equal(String((await message(socket)).data), 'hello')
  const ended = closed(socket)
  socket.close(1000)
  assert.equal((await ended).code, 1000)
}

describe('relayedConnect', TIMEOUT, () => {
  it('returns the socket while it connects, and calls back with it', async () => {
    const open = await new Promise((resolve) => {
      const socket = hyco.relayedConnect(uri(), relay.token(), (given) => {
        assert.equal(given, socket)
        assert.equal(given.readyState, hyco.OPEN)
        resolve(given)
      })
      assert.equal(socket.readyState, hyco.CONNECTING)
      assert.ok(socket instanceof hyco.RelayedSocket)
      assert.equal(socket.url, uri())
    })
    await echoes(open)
  })

  it('takes options before the function', async () => {
    const [socket, request] = await new Promise((resolve) => {
      const options = {
        headers: { 'X-Many': ['a', 'b'], 'X-Number': 5, Upgrade: 'nonsense' },
        origin: 'https://example.com',
        protocols: ['chat', 'other'],
        id: '0b0fb0a6-3c5c-4a5c-8d0c-0a5a1cbd8d52',
      }
      let request
      server.once('connection', (_socket, given) => {
        request = given
      })
      hyco.relayedConnect(uri(), relay.token(), options, (open) => {
        until(() => request, 'the connection').then(() => resolve([open, request]))
      })
    })
    assert.equal(socket.protocol, 'chat')
    assert.equal(request.headers['x-many'], 'a, b')
    assert.equal(request.headers['x-number'], '5')
    assert.equal(request.headers.upgrade, 'websocket')
    assert.equal(request.headers.origin, 'https://example.com')
    assert.match(request.trackingId, /^0b0fb0a6-3c5c-4a5c-8d0c-0a5a1cbd8d52/)
    await echoes(socket)
  })

  it('takes null for options, and a URL', async () => {
    await echoes(hyco.relayedConnect(new URL(uri()), relay.token(), null))
  })

  it('takes a token in every form (C54)', async () => {
    for (const token of [
      relay.token(),
      () => relay.token(),
      async () => relay.token(),
      Promise.resolve(relay.token()),
      { getToken: async () => ({ token: relay.token(), expiresOnTimestamp: 0 }) },
    ]) {
      await echoes(hyco.relayedConnect(uri(), token))
    }
    await echoes(hyco.relayedConnect(`${uri()}&sb-hc-token=${encodeURIComponent(relay.token())}`))
  })

  it('throws for an address that is none, as ws does', () => {
    for (const address of ['nowhere', 'ftp://host', 'ws://host/#fragment']) {
      assert.throws(() => hyco.relayedConnect(address), SyntaxError)
    }
  })

  it('sends user and password of the address as ws does', async () => {
    const peer = http.createServer()
    const asked = once(peer, 'upgrade')
    await new Promise((resolve) => peer.listen(0, '127.0.0.1', resolve))
    const { port } = peer.address()
    const socket = hyco.relayedConnect(`ws://user:pass%20word@127.0.0.1:${port}/path?a=b`)
    const end = failed(socket)
    const [request, wire] = await asked
    assert.equal(request.headers.authorization, `Basic ${btoa('user:pass word')}`)
    assert.equal(request.url, '/path?a=b')
    assert.equal(request.headers.host, `127.0.0.1:${port}`)
    wire.destroy()
    await end
    peer.close()
  })
})

describe('a failed connect', TIMEOUT, () => {
  it('is an error with all that is known, then a close with 1006 (C56)', async () => {
    const { error, code } = await failed(hyco.relayedConnect(uri()))
    assert.equal(error.code, 'HYCO_ERR_UNAUTHORIZED')
    assert.equal(error.statusCode, 401)
    assert.match(error.reason, /^MissingToken/)
    assert.ok(error.reason.includes(error.trackingId))
    assert.equal(code, 1006)
  })

  it('says what was missing: the hybrid connection, or a listener', async () => {
    const token = relay.token()
    const unknown = await failed(hyco.relayedConnect(relay.sendUri('unknown'), token))
    assert.equal(unknown.error.code, 'HYCO_ERR_ENDPOINT_NOT_FOUND')
    const nobody = await failed(hyco.relayedConnect(relay.sendUri('empty'), token))
    assert.equal(nobody.error.code, 'HYCO_ERR_NO_LISTENER')
    assert.equal(nobody.error.statusCode, 404)
  })

  it('says who refused the connection', async () => {
    const { error } = await failed(hyco.relayedConnect('ws://127.0.0.1:1/$hc/hyco'))
    assert.equal(error.code, 'HYCO_ERR_CONNECT')
    assert.equal(error.cause.code, 'ECONNREFUSED')
  })

  it('is that of a token that cannot be had', async () => {
    const cause = new Error('vault is closed')
    for (const token of [
      () => {
        throw cause
      },
      Promise.reject(cause),
      { getToken: () => Promise.reject(cause) },
    ]) {
      const { error, code } = await failed(hyco.relayedConnect(uri(), token))
      assert.deepEqual([error.code, error.cause, code], ['HYCO_ERR_TOKEN', cause, 1006])
    }
  })

  it('that nobody listens for is thrown', async () => {
    const errors = await uncaught(async (caught) => {
      hyco.relayedConnect(uri())
      hyco.relayedConnect(uri(), () => null)
      await until(() => caught.length === 2, 'both are thrown')
    })
    assert.deepEqual(errors.map(({ code }) => code).sort(), [
      'HYCO_ERR_TOKEN',
      'HYCO_ERR_UNAUTHORIZED',
    ])
  })

  it('is one that takes too long, with a silent peer or with a token', async () => {
    const peer = net.createServer((wire) => wire.on('error', () => {}).resume())
    await new Promise((resolve) => peer.listen(0, '127.0.0.1', resolve))
    const address = `ws://127.0.0.1:${peer.address().port}`
    const options = { handshakeTimeout: 30 }
    const sockets = [
      hyco.relayedConnect(address, null, options),
      hyco.relayedConnect(uri(), () => new Promise(() => {}), options),
    ]
    for (const { error, code } of await Promise.all(sockets.map(failed))) {
      assert.deepEqual([error.code, code], ['HYCO_ERR_TIMEOUT', 1006])
    }
    peer.close()
  })
})

describe('a connect that is given up', TIMEOUT, () => {
  const endings = {
    close: (socket) => socket.close(),
    terminate: (socket) => socket.terminate(),
  }

  for (const [name, end] of Object.entries(endings)) {
    it(`by ${name} fails as that of ws does`, async () => {
      const dialling = hyco.relayedConnect(uri(), relay.token())
      const waiting = hyco.relayedConnect(uri(), () => new Promise(() => {}))
      const ends = Promise.all([dialling, waiting].map(failed))
      end(dialling)
      end(waiting)
      for (const { error, code } of await ends) {
        assert.deepEqual([error.message, code], [EARLY, 1006])
      }
    })
  }

  it('by a signal, before, while and after it connects', async () => {
    const aborted = failed(
      hyco.relayedConnect(uri(), relay.token(), { signal: AbortSignal.abort() }),
    )
    assert.equal((await aborted).error.message, EARLY)

    const controller = new AbortController()
    const { signal } = controller
    const connecting = failed(hyco.relayedConnect(uri(), relay.token(), { signal }))
    controller.abort()
    assert.equal((await connecting).error.message, EARLY)

    const later = new AbortController()
    const socket = hyco.relayedConnect(uri(), relay.token(), { signal: later.signal })
    await once(socket, 'open')
    const ended = closed(socket)
    later.abort()
    assert.equal((await ended).code, 1006)
  })

  it('while its token is awaited never dials', async () => {
    let give
    const token = new Promise((resolve) => {
      give = resolve
    })
    // A server of its own: that of the others may still accept whom they gave up.
    const counting = hyco.createRelayedServer(
      { server: relay.listenUri('counted'), token: relay.token() },
      (socket) => socket.on('message', (data) => socket.send(data)),
    )
    await once(counting, 'listening')
    const socket = hyco.relayedConnect(relay.sendUri('counted'), token)
    const ended = failed(socket)
    socket.close()
    await ended
    give(relay.token())
    await echoes(hyco.relayedConnect(relay.sendUri('counted'), relay.token()))
    assert.equal(counting.metrics().accepted, 1)
    await counting.close()
  })
})

describe('over TLS', TIMEOUT, () => {
  it('a listener and a sender meet, each trusting the relay by its option', async () => {
    const secure = await TestRelay.start({ tls: true })
    const { ca } = secure
    const options = { server: secure.listenUri('hyco'), token: secure.token(), tls: { ca } }
    const listener = hyco.createRelayedServer(options, (socket, request) => {
      assert.equal(request.socket.encrypted, true)
      socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
    })
    await once(listener, 'listening')
    assert.equal(listener.address().secure, true)
    const send = (given) => hyco.relayedConnect(secure.sendUri('hyco'), secure.token(), given)
    await echoes(send({ tls: { ca } }))
    await echoes(send({ ca: Buffer.from(ca) }))
    await echoes(send({ rejectUnauthorized: false }))
    const { error } = await failed(send({}))
    assert.equal(error.code, 'HYCO_ERR_TLS')
    // More different options than are kept prepared: the first ones are prepared again.
    for (let n = 0; n <= 65; n++) await echoes(send({ tls: { ca: ca + '\n'.repeat(n) } }))
    await echoes(send({ tls: { ca } }))
    await new Promise((resolve) => listener.close(resolve))
    await secure.close()
  })
})
