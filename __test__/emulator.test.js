'use strict'

const assert = require('node:assert')
const { once } = require('node:events')
const { mkdtempSync, rmSync } = require('node:fs')
const http = require('node:http')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const { after, describe, test } = require('node:test')
const { inspect } = require('node:util')
const WebSocket = require('ws')

const { startRelayEmulator } = require('../lib/emulator/emulator')
const { createRelayListenUri, createRelaySendUri, createRelayToken } = require('../lib/uri')
const certificate = require('./support/certificate')

const TIMEOUT = { timeout: 300_000 }

/** The sockets and emulators of a test, which end after it. */
const ending = []

after(async () => {
  for (const socket of ending) {
    socket.on?.('error', () => {})
    socket.terminate?.()
  }
  await Promise.all(ending.map((emulator) => emulator.close?.()))
})

/** @return {Promise<RelayEmulator>} An emulator that ends with the test */
async function start(options) {
  const relay = await startRelayEmulator(options)
  ending.push(relay)
  return relay
}

/** @return {Object} Options for a socket of ws: the token, and what it trusts */
function credentials(relay, path = 'hyco', ca = relay.certificate) {
  const token = createRelayToken(`${relay.namespace}/${path}`, relay.keyName, relay.key)
  return { headers: { ServiceBusAuthorization: token }, ca }
}

/** @return {WebSocket} A socket that ends with the test */
function socket(address, protocols, options) {
  const ws = new WebSocket(address, protocols, options)
  ending.push(ws)
  return ws
}

/** @return {Promise<WebSocket>} The control channel of a listener, by hand */
async function listen(relay, path = 'hyco', ca = relay.certificate) {
  const address = createRelayListenUri(relay.namespace, path)
  const control = socket(address, [], credentials(relay, path, ca))
  await once(control, 'open')
  return control
}

/** @return {WebSocket} A sender */
function connect(relay, path = 'hyco', protocols = [], options = {}) {
  const address = createRelaySendUri(relay.namespace, path)
  return socket(address, protocols, { ...credentials(relay, path), ...options })
}

/** @return {Promise<Object>} The next `accept` on a control channel */
async function nextAccept(control) {
  const [data, isBinary] = await once(control, 'message')
  assert.strictEqual(isBinary, false)
  return JSON.parse(data).accept
}

/** @return {Promise<WebSocket[]>} A sender and a listener that have met */
async function pair(relay, ca = relay.certificate) {
  const control = await listen(relay, 'hyco', ca)
  const sender = connect(relay, 'hyco', [], { ca })
  const { address } = await nextAccept(control)
  const listener = socket(address, [], { ca, perMessageDeflate: false })
  await Promise.all([once(sender, 'open'), once(listener, 'open')])
  control.close()
  return [sender, listener]
}

describe('startRelayEmulator', TIMEOUT, () => {
  test('says where it listens and who may use it', async () => {
    const relay = await start()
    const { address, port } = relay.address
    assert.deepStrictEqual(relay.address, { address: '127.0.0.1', family: 'IPv4', port })
    assert.strictEqual(relay.namespace, `ws://${address}:${port}`)
    assert.strictEqual(relay.keyName, 'RootManageSharedAccessKey')
    assert.strictEqual(relay.key.length, 44)
    assert.strictEqual(relay.certificate, undefined)
    assert.strictEqual(
      relay.connectionString,
      `Endpoint=sb://${address}:${port}/;SharedAccessKeyName=${relay.keyName};` +
        `SharedAccessKey=${relay.key};UseDevelopmentEmulator=true`,
    )
    assert.ok(!inspect(relay, { depth: 9, showHidden: true }).includes(relay.key))
  })

  test('takes a port, hybrid connections and rules', async () => {
    const options = {
      hybridConnections: ['one', { path: 'team/two', requiresClientAuthorization: false }],
      rules: [{ keyName: 'listenOnly', key: 'secret', rights: ['Listen'] }],
    }
    let relay
    while (relay === undefined) {
      // Below the ports that systems choose by themselves; another program may have it all the same.
      const port = 15_000 + Math.floor(Math.random() * 15_000)
      relay = await start({ ...options, port }).catch((error) => {
        assert.strictEqual(error.code, 'HYCO_ERR_EMULATOR_BIND')
      })
      if (relay) assert.strictEqual(relay.address.port, port)
    }
    assert.deepStrictEqual([relay.keyName, relay.key], ['listenOnly', 'secret'])
    const control = await listen(relay, 'team/two')
    connect(relay, 'team/two/room', [], { headers: {} })
    const { address } = await nextAccept(control)
    assert.match(address, /\/\$hc\/team\/two\/room\?/)
    const [error] = await once(connect(relay, 'one'), 'error')
    assert.match(error.message, /401/)
  })

  test('rejects options of the wrong kind with a TypeError that names them', async () => {
    const cases = {
      host: ['', 1],
      port: [-1, 65536, 1.5, '1'],
      tlsPort: [-1, '1'],
      acceptJwt: [1],
      remoteAdmin: ['no'],
      ui: [0],
      signal: [1],
      tls: ['yes', { cert: 'x' }, { key: 'x' }],
      hybridConnections: ['hyco', [1], [null], [{}], [['x']], [{ path: 'x', rules: 1 }]],
      rules: [
        {},
        [null],
        [{}],
        [['name', 'key']],
        [{ keyName: '' }],
        [{ keyName: 'x', rights: ['Dance'] }],
      ],
      hosts: ['x', [1]],
      publicUrl: ['', 1],
      maxListeners: [0, -1, 1.5],
      maxConnections: [0, 2 ** 32],
      clockSkewSeconds: [-1, '1'],
      maxFrame: [-1, 1.5, '1'],
      handshakeTimeout: [0, -1, NaN, 2 ** 31],
      acceptTimeout: [0],
      renewalGrace: [-1],
      channelLifetime: [-1],
      keepAliveInterval: [-1],
      closeTimeout: [0],
      sendTimeout: ['1'],
    }
    for (const [name, values] of Object.entries(cases)) {
      for (const value of values) {
        await assert.rejects(startRelayEmulator({ [name]: value }), (error) => {
          assert.ok(error instanceof TypeError, `${name}: ${error}`)
          assert.strictEqual(error.code, 'HYCO_ERR_INVALID_OPTION')
          assert.ok(error.message.includes(name), error.message)
          return true
        })
      }
    }
    await assert.rejects(startRelayEmulator(null), TypeError)
    await assert.rejects(startRelayEmulator('x'), TypeError)
  })

  test('rejects when it cannot listen, or cannot use what it is given', async () => {
    const relay = await start()
    const { port } = relay.address
    const rejected = (options, code) => assert.rejects(startRelayEmulator(options), { code })
    await rejected({ port }, 'HYCO_ERR_EMULATOR_BIND')
    await rejected({ tls: { cert: 'x', key: 'y' } }, 'HYCO_ERR_TLS')
    await rejected({ hybridConnections: ['a//b'] }, 'HYCO_ERR_INVALID_OPTION')
    await rejected({ publicUrl: 'http://x' }, 'HYCO_ERR_INVALID_OPTION')
  })

  test('closes everything, once, and the promise of a later close is the same', async () => {
    const relay = await startRelayEmulator()
    const [sender, listener] = await pair(relay)
    const closes = [once(sender, 'close'), once(listener, 'close')]
    const closed = relay.close()
    assert.strictEqual(relay.close(), closed)
    await closed
    for (const [code] of await Promise.all(closes)) assert.strictEqual(code, 1001)
    await assert.rejects(once(connect(relay), 'open'), { code: 'ECONNREFUSED' })
    if (Symbol.asyncDispose) await relay[Symbol.asyncDispose]()
  })
})

for (const [name, options, ca] of [
  ['plain', {}],
  ['tls', { tls: true }],
  ['tls with a given certificate', { tls: certificate }, certificate.ca],
]) {
  describe(`a relay between sockets of ws (${name})`, TIMEOUT, () => {
    test('passes messages of all kinds and sizes in order (E39)', async () => {
      const relay = await start(options)
      const [sender, listener] = await pair(relay, ca)
      const sizes = [0, 1, 125, 126, 65535, 65536, 1_000_000]
      const messages = sizes.flatMap((size) => ['x'.repeat(size), Buffer.alloc(size, 7)])
      for (const [from, to] of [
        [sender, listener],
        [listener, sender],
      ]) {
        const received = []
        const all = new Promise((resolve) => {
          to.on('message', (data, isBinary) => {
            received.push(isBinary ? data : String(data))
            if (received.length === messages.length) resolve()
          })
        })
        for (const message of messages) from.send(message)
        await all
        assert.deepStrictEqual(received, messages)
      }
    })

    test('passes close codes both ways (E41)', async () => {
      const relay = await start(options)
      const [sender, listener] = await pair(relay, ca)
      const closes = [once(sender, 'close'), once(listener, 'close')]
      listener.close(4321, 'done')
      const [[code, reason], [echoed]] = await Promise.all(closes)
      assert.deepStrictEqual([code, String(reason), echoed], [4321, 'done', 4321])
    })

    test('ends the other side without a close frame when one is lost (E42)', async () => {
      const relay = await start(options)
      const [sender, listener] = await pair(relay, ca)
      listener.terminate()
      const [code] = await once(sender, 'close')
      assert.strictEqual(code, 1006)
    })
  })
}

test('trust in an authority that is kept lasts over a restart (E68)', TIMEOUT, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hyco-rs-ca-'))
  try {
    const first = await start({ tls: { folder } })
    const ca = first.certificate
    await first.close()
    const relay = await start({ tls: { folder }, tlsPort: 0 })
    const token = createRelayToken(`${relay.namespace}/hyco`, relay.keyName, relay.key)
    const headers = { ServiceBusAuthorization: token }
    const address = createRelayListenUri(relay.tlsNamespace, 'hyco')
    await once(socket(address, [], { headers, ca }), 'open')
    assert.match(
      relay.tlsConnectionString,
      new RegExp(`^Endpoint=sb://localhost:${relay.tlsPort}/`),
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
})

describe('a rendezvous by hand', TIMEOUT, () => {
  test('answers the subprotocol that the listener chose (E31)', async () => {
    const relay = await start()
    const control = await listen(relay)
    const sender = connect(relay, 'hyco', ['a', 'b'])
    const { address, connectHeaders, id, remoteEndpoint } = await nextAccept(control)
    assert.strictEqual(connectHeaders['Sec-WebSocket-Protocol'], 'a,b')
    assert.strictEqual(connectHeaders.Host, `127.0.0.1:${relay.address.port}`)
    assert.strictEqual(remoteEndpoint.address, '127.0.0.1')
    assert.ok(address.endsWith(id))
    const listener = socket(address, ['b'], { perMessageDeflate: false })
    await Promise.all([once(sender, 'open'), once(listener, 'open')])
    assert.deepStrictEqual([sender.protocol, listener.protocol], ['b', 'b'])
  })

  test('a listener whose library offers compression meets its sender (E31)', async () => {
    const relay = await start()
    const control = await listen(relay)
    const sender = connect(relay)
    const { address, connectHeaders } = await nextAccept(control)
    assert.match(connectHeaders['Sec-WebSocket-Extensions'], /permessage-deflate/)
    const listener = socket(address)
    await Promise.all([once(sender, 'open'), once(listener, 'open')])
    assert.deepStrictEqual([sender.extensions, listener.extensions], ['', ''])
    sender.send('x'.repeat(100_000))
    const [data] = await once(listener, 'message')
    assert.strictEqual(data.length, 100_000)
  })

  test('gives the sender the status and the words of a rejection (E32)', async () => {
    const relay = await start()
    const control = await listen(relay)
    const sender = connect(relay)
    const { address } = await nextAccept(control)
    const query = '&sb-hc-statusCode=451&sb-hc-statusDescription=Not%20in%20this%20town'
    const listener = socket(address + query)
    const [[, forListener], [, forSender]] = await Promise.all([
      once(listener, 'unexpected-response'),
      once(sender, 'unexpected-response'),
    ])
    assert.deepStrictEqual([forListener.statusCode, forListener.statusMessage], [410, 'Gone'])
    assert.strictEqual(forSender.statusCode, 451)
    assert.strictEqual(forSender.statusMessage, 'Not in this town')
  })

  test('tells a sender that nobody listens (E13)', async () => {
    const relay = await start()
    const [, response] = await once(connect(relay), 'unexpected-response')
    assert.strictEqual(response.statusCode, 404)
    assert.match(
      response.statusMessage,
      /^There are no listeners connected for the endpoint\. TrackingId:\S+, SystemTracker:sb:/,
    )
    assert.ok(response.headers.trackingid)
  })

  test('ends a control channel whose token has expired (E23)', async () => {
    const relay = await start({ renewalGrace: 0 })
    const life = 5 // in whole seconds, of which the first may be nearly over
    const token = createRelayToken(`${relay.namespace}/hyco`, relay.keyName, relay.key, life)
    const headers = { ServiceBusAuthorization: token }
    const control = socket(createRelayListenUri(relay.namespace, 'hyco'), [], { headers })
    const [code, reason] = await once(control, 'close')
    assert.strictEqual(code, 1008)
    assert.match(String(reason), /^The token has expired\. TrackingId:/)
  })

  test('refuses a plain request to a WebSocket endpoint (E2)', async () => {
    const relay = await start()
    const { port } = relay.address
    const [response] = await once(http.get({ port, path: '/$hc/hyco' }), 'response')
    response.resume()
    assert.strictEqual(response.statusCode, 400)
    assert.match(response.statusMessage, /^This endpoint is only for web-socket requests/)
  })
})
