'use strict'

const assert = require('node:assert/strict')
const { readFileSync } = require('node:fs')
const { describe, it } = require('node:test')
const ws = require('ws')

const hyco = require('..')

const TIMEOUT = { timeout: 300_000 }

const OURS = [
  'RelayedServer',
  'RelayedSocket',
  'appendRelayToken',
  'createRelayBaseUri',
  'createRelayListenUri',
  'createRelaySendUri',
  'createRelayToken',
  'createRelayedListener',
  'createRelayedServer',
  'relayedConnect',
  'startRelayEmulator',
]

describe('the export', TIMEOUT, () => {
  it('has every own key of ws, with the same value but for the class itself', () => {
    for (const key of Reflect.ownKeys(ws)) {
      const expected = key === 'WebSocket' ? hyco : ws[key]
      assert.equal(hyco[key], expected, String(key))
    }
  })

  it('has the names of this package, and no others', () => {
    const extra = Reflect.ownKeys(hyco).filter((key) => !Object.hasOwn(ws, key))
    assert.deepEqual(extra.sort(), OURS)
  })

  it('leaves ws as it is', () => {
    assert.equal(ws.WebSocket, ws)
    for (const name of OURS) assert.equal(name in ws, false, name)
    assert.equal(ws.prototype.constructor, ws)
  })

  it('has the constants of ws, and they cannot be changed', () => {
    assert.deepEqual([hyco.CONNECTING, hyco.OPEN, hyco.CLOSING, hyco.CLOSED], [0, 1, 2, 3])
    assert.throws(() => {
      hyco.OPEN = 5
    }, TypeError)
  })

  it('has the same functions under both names of a listener', () => {
    assert.equal(hyco.createRelayedListener, hyco.createRelayedServer)
  })

  it('is a class that needs new, as that of ws does', () => {
    assert.throws(() => hyco('ws://127.0.0.1'), TypeError)
  })

  it('builds sockets that are instances of ws and of itself', async () => {
    const socket = new hyco('ws://127.0.0.1:1', null, { handshakeTimeout: 1000 })
    const failed = new Promise((resolve) => socket.on('error', resolve))
    assert.ok(socket instanceof hyco)
    assert.ok(socket instanceof ws)
    assert.equal(socket.constructor, ws)
    await failed
  })

  it('can be extended', async () => {
    class Mine extends hyco {
      get mine() {
        return true
      }
    }
    const socket = new Mine('ws://127.0.0.1:1')
    const failed = new Promise((resolve) => socket.on('error', resolve))
    assert.ok(socket.mine && socket instanceof Mine && socket instanceof ws)
    await failed
  })

  it('takes null for protocols, as callers of hyco-ws pass it', async () => {
    const server = new hyco.WebSocketServer({ host: '127.0.0.1', port: 0 })
    await new Promise((resolve) => server.once('listening', resolve))
    const connected = new Promise((resolve) =>
      server.once('connection', (peer, request) => resolve({ peer, request })),
    )
    const headers = { 'X-Test': 'yes' }
    const socket = new hyco(`ws://127.0.0.1:${server.address().port}`, null, { headers })
    const { peer, request } = await connected
    assert.equal(request.headers['x-test'], 'yes')
    assert.equal(request.headers['sec-websocket-protocol'], undefined)
    assert.ok(peer instanceof hyco, 'a socket of a ws server is an instance too')
    socket.on('error', () => {})
    socket.terminate()
    await new Promise((resolve) => server.close(resolve))
  })

  it('throws for an address that is none, as ws does', () => {
    assert.throws(() => new hyco('nowhere', null), SyntaxError)
  })

  it('is the same for import, by default and by name', async () => {
    const module = await import('../index.mjs')
    assert.equal(module.default, hyco)
    assert.equal(module.WebSocket, hyco)
    for (const name of Object.keys(module)) {
      if (name !== 'default') assert.equal(module[name], hyco[name], name)
    }
    const wrapper = await import('ws')
    const wanted = [...new Set([...Object.keys(wrapper), ...OURS, 'Server', 'WebSocket'])]
    assert.deepEqual(Object.keys(module).sort(), wanted.sort())
  })

  it('names every import in the types for modules', () => {
    const types = readFileSync(require.resolve('../index.d.mts'), 'utf8')
    for (const name of [...OURS, 'Server', 'WebSocketServer', 'createWebSocketStream']) {
      assert.match(types, new RegExp(`^export import ${name} = WebSocket\\.${name}$`, 'm'))
    }
  })

  it('is found under the name of the package, by require and by import', async () => {
    assert.equal(require('hyco-rs'), hyco)
    assert.equal((await import('hyco-rs')).default, hyco)
  })
})
