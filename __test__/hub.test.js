'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { test } = require('node:test')
const { WebSocketServer } = require('ws')

const hyco = require('..')
const Delivery = require('../lib/hub/delivery')
const { Hub } = require('../lib/hub/hub')
const { ENDED, EVENT, RECORD_WORDS, kEnded } = require('../lib/hub/records')
const { Hub: NativeHub } = require('../lib/native')
const { SOCKET_DEFAULTS, socketOptions } = require('../lib/options/options')
const { tlsSpec } = require('../lib/options/tls')
const { createSocket } = require('../lib/socket/relayed-socket')
const certificate = require('./support/certificate')
const HttpSetting = require('./support/http-server')
const { uncaught } = require('./support/watch')

const TIMEOUT = { timeout: 300_000 }

/** A socket of a hub of its own, connected to a server that echoes. */
async function echo(t, hub) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  t.after(() => server.close())
  await once(server, 'listening')
  server.on('connection', (peer) => {
    peer.on('message', (data, isBinary) => peer.send(data, { binary: isBinary }))
  })
  const address = `ws://127.0.0.1:${server.address().port}`
  const core = createSocket(address, socketOptions(SOCKET_DEFAULTS))
  hub.connect(core, { address, headers: [], protocols: [], timeout: 10_000 })
  await once(core.face, 'open')
  return core.face
}

/** Sends messages of many sizes, so that slabs are filled and let go of; checks what comes back. */
async function exchange(socket, rounds) {
  const sizes = [0, 1, 125, 126, 5_000, 20_000, 40_000, 300_000]
  const sent = Array.from({ length: rounds }, (_, i) => Buffer.alloc(sizes[i % sizes.length], i))
  const received = []
  const all = new Promise((resolve) => {
    socket.on('message', (data) => {
      received.push(data)
      if (received.length === rounds) resolve()
    })
  })
  for (const message of sent) socket.send(message)
  await all
  for (const [i, message] of sent.entries()) assert.ok(message.equals(received[i]), `message ${i}`)
}

for (const share of [true, false]) {
  const memory = share ? 'memory of the native side' : 'copies, as Electron demands'
  test(`a hub delivers messages, pings and closes in ${memory}`, async (t) => {
    const socket = await echo(t, new Hub(share))
    await exchange(socket, 400)
    socket.ping('ping')
    assert.equal(String((await once(socket, 'pong'))[0]), 'ping')
    socket.close(4001, 'reason')
    const [code, reason] = await once(socket, 'close')
    assert.deepEqual([code, String(reason)], [4001, 'reason'])
  })
}

test('several hubs in one thread work side by side', TIMEOUT, async (t) => {
  const sockets = await Promise.all([echo(t, new Hub()), echo(t, new Hub())])
  await Promise.all(sockets.map((socket) => exchange(socket, 100)))
  for (const socket of sockets) {
    socket.terminate()
    await once(socket, 'close')
  }
})

test('bytes that lie about their length are sent as what they are', TIMEOUT, async (t) => {
  class Liar extends Uint8Array {
    get length() {
      return this.byteLength + 4096
    }
  }
  const socket = await echo(t, new Hub())
  const { set } = Object.getPrototypeOf(Uint8Array.prototype)
  const TypedArray = Object.getPrototypeOf(Uint8Array.prototype)
  const received = []
  const all = new Promise((resolve) => {
    socket.on('message', (data) => {
      received.push(String(data))
      if (received.length === 5) resolve()
    })
  })
  socket.send(new Liar(Buffer.from('small')))
  socket.send(new Liar(Buffer.alloc(5000, 'l')))
  // A Buffer goes as it is, without a view of our own.
  for (const length of [0, 2 ** 31]) {
    socket.send(Object.defineProperty(Buffer.from('own'), 'length', { value: length }))
  }
  TypedArray.set = () => assert.fail('asked a patched prototype')
  try {
    socket.send(Buffer.from('patched'))
  } finally {
    TypedArray.set = set
  }
  await all
  assert.deepEqual(received, ['small', 'l'.repeat(5000), 'own', 'own', 'patched'])
  socket.terminate()
  await once(socket, 'close')
})

test('a record that nobody knows is reported, and those after it are read', TIMEOUT, async () => {
  const sockets = [undefined, { [kEnded]: () => seen.push('ended') }]
  const seen = []
  const delivery = new Delivery(sockets, { over: () => seen.push('over') })
  const { table } = delivery.memory
  table.set([1, 0, 0, 0, 1, 99, 0, 0, 1, ENDED, 0, 0])
  const errors = await uncaught(() => assert.equal(delivery.deliver(3), 3))
  assert.equal(errors.length, 2)
  for (const { message } of errors) assert.match(message, /unknown record/)
  assert.deepEqual(seen, ['ended', 'over'])
})

test('a burst of events lets the event loop go on after two milliseconds', TIMEOUT, () => {
  let told = 0
  const event = () => {
    told++
    const end = performance.now() + 1
    while (performance.now() < end);
  }
  const delivery = new Delivery([], { over() {}, event })
  const count = 100
  for (let n = 0; n < count; n++) delivery.memory.table.set([0, EVENT, n, 0], n * RECORD_WORDS)
  const events = Array(count).fill('{"type":"accept"}')
  const read = delivery.deliver(count, undefined, undefined, events)
  assert.equal(read, told)
  assert.ok(read >= 1 && read <= 3, `${read} events of a millisecond each`)
})

test('numbers that do not fit what they become are refused, not cut', TIMEOUT, async (t) => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  t.after(() => server.close())
  await once(server, 'listening')
  server.on('connection', (peer) => {
    peer.on('message', () => {
      peer.send('a', { fin: false })
      peer.send('b', { fin: false })
      peer.send('c', { fin: true })
    })
  })
  const address = `ws://127.0.0.1:${server.address().port}`
  for (const maxFragments of [2 ** 32, 2 ** 32 + 1]) {
    const socket = hyco.relayedConnect(address, null, { maxFragments })
    await once(socket, 'open')
    socket.send('go')
    const [data] = await once(socket, 'message')
    assert.equal(String(data), 'abc')
    socket.terminate()
    await once(socket, 'close')
  }

  const spec = { address, headers: [], protocols: [], timeout: 10_000 }
  const options = { ...SOCKET_DEFAULTS }
  const hub = new Hub()
  const connect = (changed, read) =>
    hub.connect(createSocket(address, socketOptions({ ...options, ...read })), {
      ...spec,
      ...changed,
    })
  for (const timeout of [Number.NaN, -1, Infinity, 2 ** 40]) {
    assert.throws(() => connect({ timeout }), /number of milliseconds/)
  }
  for (const maxPayload of [-1, 0.5, Number.NaN, 2 ** 60]) {
    assert.throws(() => connect({}, { maxPayload }), /whole number/)
  }
})

test('equal TLS options are read once, changed ones again', TIMEOUT, () => {
  const ca = Buffer.from(certificate.ca)
  const first = tlsSpec({ ca })
  assert.equal(tlsSpec({ ca: Buffer.from(ca) }), first)
  assert.equal(tlsSpec({ ca }), first)
  assert.notEqual(tlsSpec({ ca, servername: 'other' }), first)
  assert.notEqual(tlsSpec({ ca: [ca] }), first)
  assert.notEqual(tlsSpec({ ca, rejectUnauthorized: false }), first)
  ca[ca.length - 1] ^= 1
  assert.notEqual(tlsSpec({ ca }), first)
  for (let i = 0; i < 20; i++) tlsSpec({ servername: `host${i}` })
  assert.notEqual(tlsSpec({ ca: certificate.ca }), first)
})

test('a turn may send more than the ring holds, with callbacks in order', TIMEOUT, async (t) => {
  const socket = await echo(t, new Hub())
  const sent = []
  for (let i = 0; i < 300; i++) {
    // Neither may be cut where the ring ends, which holds 63: 4 KiB of bytes, 4,095 bytes of text.
    sent.push(i % 2 === 0 ? Buffer.alloc(4096, i) : '€'.repeat(1365))
    if (i % 100 === 0) sent.push('x'.repeat(20_000))
  }
  const received = []
  const all = new Promise((resolve) => {
    socket.on('message', (data, isBinary) => {
      received.push(isBinary ? data : String(data))
      if (received.length === sent.length) resolve()
    })
  })
  const called = []
  for (const [i, data] of sent.entries()) socket.send(data, () => called.push(i))
  await all
  assert.deepEqual(received, sent)
  assert.deepEqual(called, [...sent.keys()])
  socket.terminate()
  await once(socket, 'close')
})

/** What a listener gets of `sent`, which comes in one piece, while it does `harm` after each. */
async function harmed(t, sent, harm) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  t.after(() => server.close())
  await once(server, 'listening')
  server.on('connection', (peer) => {
    peer.on('message', () => {
      // In one piece, so that they are one run.
      peer._socket.cork()
      for (const message of sent) peer.send(message)
      peer._socket.uncork()
    })
  })
  const socket = hyco.relayedConnect(`ws://127.0.0.1:${server.address().port}`, null)
  await once(socket, 'open')
  const received = []
  const errors = await uncaught(async () => {
    const all = new Promise((resolve) => {
      socket.on('message', (data) => {
        received.push(Buffer.from(data))
        if (received.length === sent.length) resolve()
        harm(data, received.length)
      })
    })
    socket.send('go')
    await all
  })
  socket.terminate()
  await once(socket, 'close')
  return { received, errors }
}

test('an exception in the middle of a run costs no byte of the others', TIMEOUT, async (t) => {
  const sent = Array.from({ length: 200 }, (_, i) => Buffer.alloc(1 + (i % 37), i))
  const { received, errors } = await harmed(t, sent, (_data, count) => {
    if (count % 7 === 0) throw new Error('on purpose')
  })
  assert.deepEqual(received, sent)
  assert.equal(errors.length, Math.floor(sent.length / 7))
})

test('an exception after the memory of a run was moved away costs no byte', TIMEOUT, async (t) => {
  for (const size of [100, 2000]) {
    const sent = Array.from({ length: 40 }, (_, i) => Buffer.alloc(size + i, i))
    const { received, errors } = await harmed(t, sent, (data, count) => {
      if (count % 7 !== 0) return
      new ReadableStream({ type: 'bytes', start: (controller) => controller.enqueue(data) })
      throw new Error('on purpose')
    })
    assert.deepEqual(received, sent)
    assert.deepEqual(
      errors.map((error) => error.message),
      Array(Math.floor(sent.length / 7)).fill('on purpose'),
    )
  }
})

test('what asks for a delivery within a listener gets none', TIMEOUT, async (t) => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  t.after(() => server.close())
  await once(server, 'listening')
  // In one write, which the native side reads before this thread goes on.
  server.on('connection', (peer) => {
    peer.on('message', () => {
      peer._socket.write(Buffer.from('810131810132810133', 'hex'))
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100)
    })
  })
  let native
  const { buffered } = NativeHub.prototype
  t.mock.method(NativeHub.prototype, 'buffered', function (...args) {
    native = this
    return buffered.apply(this, args)
  })
  const socket = hyco.relayedConnect(`ws://127.0.0.1:${server.address().port}`, null)
  t.after(() => socket.terminate())
  await once(socket, 'open')
  const seen = []
  const all = new Promise((resolve) => {
    socket.on('message', (data) => {
      seen.push(String(data))
      // As an event loop does that something runs within the listener.
      assert.equal(socket.bufferedAmount, 0)
      native.deliver()
      if (seen.at(-1) === '3') resolve()
    })
  })
  socket.send('go')
  await all
  assert.deepEqual(seen, ['1', '2', '3'])
})

test('between the events of a burst other callbacks have their turn', TIMEOUT, async (t) => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  const sockets = Array.from({ length: 50 }, () =>
    hyco.relayedConnect(`ws://127.0.0.1:${port}`, null),
  )
  let turns = 0
  let immediate = setImmediate(function again() {
    turns++
    immediate = setImmediate(again)
  })
  t.after(() => clearImmediate(immediate))
  const failed = sockets.map((socket) => once(socket, 'error'))
  const counts = []
  for (const socket of sockets) {
    socket.on('error', () => {
      counts.push(turns)
      // As long as it takes to log something, say.
      const end = performance.now() + 1
      while (performance.now() < end);
    })
  }
  // All of them have failed before this thread hears of the first.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300)
  await Promise.all(failed)
  assert.ok(counts.at(-1) - counts[0] >= 5, `${counts}`)
})

test('a server that was closed is forgotten', TIMEOUT, async (t) => {
  let requests
  const { listen } = NativeHub.prototype
  t.mock.method(NativeHub.prototype, 'listen', function (listener, spec) {
    requests = () => this.totalRequests(listener)
    return listen.call(this, listener, spec)
  })
  const setting = await HttpSetting.start({ fetch: () => new Response('ok') })
  t.after(() => setting.close())
  assert.equal(await (await fetch(setting.url)).text(), 'ok')
  assert.equal(requests(), 1)
  await setting.server.close()
  assert.equal(requests(), 0, 'what the native side kept of it')
})
