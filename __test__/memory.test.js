'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const http = require('node:http')
const { join } = require('node:path')
const { test } = require('node:test')
const { Worker } = require('node:worker_threads')
const { WebSocketServer } = require('ws')

const hyco = require('..')
const HttpSetting = require('./support/http-server')
const { acceptValue } = require('./support/raw-peer')
const { uncaught } = require('./support/watch')

const TIMEOUT = { timeout: 120_000 }

/** Of each: staged, a run that is lent, a large message. */
const SIZES = [0, 1, 64, 5000, 20_000, 40_000, 300_000]

/** A plain server that sends what `script` says when a client says 'go'. */
async function serve(t, script) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  t.after(() => {
    for (const peer of server.clients) peer.terminate()
    server.close()
  })
  server.on('connection', (peer) => peer.on('message', () => script(peer)))
  await once(server, 'listening')
  return `ws://127.0.0.1:${server.address().port}`
}

async function connect(t, address, options) {
  const socket = hyco.relayedConnect(address, null, options)
  await once(socket, 'open')
  t.after(() => socket.terminate())
  return socket
}

/** The first `count` messages that a socket gets, and what `look` makes of each at once. */
function collect(socket, count, look = (data) => data) {
  return new Promise((resolve) => {
    const seen = []
    socket.on('message', (data) => {
      seen.push(look(data))
      if (seen.length === count) resolve(seen)
    })
  })
}

/** Takes the memory of a message away, as a byte stream does with what is enqueued. */
function move(data) {
  const start = (controller) => controller.enqueue(data)
  return data.length > 0 && new ReadableStream({ type: 'bytes', start })
}

/** A message that says which it is and how long. */
function message(size, mark) {
  return Buffer.alloc(size, mark)
}

test('no two sockets share the memory of what they get', TIMEOUT, async (t) => {
  const address = await serve(t, (peer) => {
    for (const size of SIZES) peer.send(message(size, 1))
    peer.send('text')
    peer.ping('ping')
    peer.pong('pong')
    peer.close(4001, 'reason')
  })
  const sockets = await Promise.all(Array.from({ length: 4 }, () => connect(t, address)))
  const memories = sockets.map(() => new Set())
  const closes = sockets.map((socket, index) => {
    const note = (data) => memories[index].add(data.buffer)
    for (const event of ['message', 'ping', 'pong']) socket.on(event, note)
    socket.on('close', (_code, reason) => note(reason))
    return once(socket, 'close')
  })
  for (const socket of sockets) socket.send('go')
  await Promise.all(closes)
  const all = memories.flatMap((memory) => [...memory])
  assert.ok(all.length >= 4 * 3)
  assert.equal(new Set(all).size, all.length)
})

test('a moved message costs nothing but that message', TIMEOUT, async (t) => {
  const rounds = 30
  const sizes = SIZES.filter((size) => size > 0)
  const address = await serve(t, (peer) => {
    for (let i = 0; i < rounds; i++) for (const size of sizes) peer.send(message(size, i))
  })
  const [mover, other] = [await connect(t, address), await connect(t, address)]
  const expected = Array.from({ length: rounds }, (_, i) => sizes.map((size) => `${size} ${i}`))
  const look = (data) => {
    const mark = data.every((byte) => byte === data[0]) ? data[0] : 'broken'
    return `${data.length} ${mark}`
  }
  const thrown = await uncaught(async () => {
    const moved = collect(mover, rounds * sizes.length, (data) => {
      const seen = look(data)
      move(data)
      return seen
    })
    const untouched = collect(other, rounds * sizes.length)
    mover.send('go')
    other.send('go')
    assert.deepEqual(await moved, expected.flat())
    assert.deepEqual((await untouched).map(look), expected.flat())
  })
  assert.deepEqual(thrown, [])
})

test('in a long batch each message whose memory was moved away is itself', TIMEOUT, async (t) => {
  // More than two tables full, in one write: the native side reads them before this thread goes on.
  const count = 10_000
  const frames = Buffer.alloc(count * 6)
  for (let i = 0; i < count; i++) {
    frames.writeUInt16BE(0x8204, i * 6)
    frames.writeUInt32BE(i, i * 6 + 2)
  }
  const address = await serve(t, (peer) => {
    peer._socket.write(frames)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200)
  })
  const socket = await connect(t, address)
  const seen = collect(socket, count, (data) => {
    const mark = data.readUInt32BE(0)
    if (mark % 5 === 0) move(data)
    return mark
  })
  socket.send('go')
  assert.deepEqual(
    await seen,
    Array.from({ length: count }, (_, i) => i),
  )
})

test('an arraybuffer message can be transferred, whatever its size', TIMEOUT, async (t) => {
  const address = await serve(t, (peer) => {
    for (const size of SIZES) peer.send(message(size, 7))
  })
  const socket = await connect(t, address)
  socket.binaryType = 'arraybuffer'
  const moved = collect(socket, SIZES.length, (data) => structuredClone(data, { transfer: [data] }))
  socket.send('go')
  for (const [i, data] of (await moved).entries()) {
    assert.deepEqual(Buffer.from(data), message(SIZES[i], 7))
  }
})

/** Whether memory is what Node shares among short Buffers: who moves that breaks `Buffer.from`. */
const shared = (data) => data.buffer === Buffer.from('x').buffer

test('a message that waits for its turn has memory of its own', TIMEOUT, async (t) => {
  const address = await serve(t, (peer) => {
    for (let i = 0; i < 20; i++) peer.send(message(64, i))
    peer.ping('ping')
  })
  const socket = await connect(t, address, { allowSynchronousEvents: false })
  const seen = collect(socket, 20, shared)
  const pinged = once(socket, 'ping').then(([data]) => shared(data))
  socket.send('go')
  assert.deepEqual(await seen, Array(20).fill(false))
  assert.equal(await pinged, false)
})

test('a message that came with the handshake has memory of its own', TIMEOUT, async (t) => {
  const server = http.createServer()
  server.on('upgrade', (req, socket) => {
    const accept = acceptValue(req.headers['sec-websocket-key'])
    const head = `HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`
    const frame = Buffer.concat([Buffer.from([0x82, 64]), message(64, 7)])
    socket.write(Buffer.concat([Buffer.from(head), frame, frame, frame]))
    t.after(() => socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const socket = hyco.relayedConnect(`ws://127.0.0.1:${server.address().port}`, null)
  t.after(() => socket.terminate())
  assert.deepEqual(await collect(socket, 3, shared), Array(3).fill(false))
})

test('an iterated message in fragments has memory of its own', TIMEOUT, async (t) => {
  const address = await serve(t, (peer) => {
    peer.send(message(32, 1), { fin: false })
    peer.send(message(32, 2))
  })
  const socket = await connect(t, address)
  socket.binaryType = 'fragments'
  socket.send('go')
  for await (const data of socket) {
    assert.equal(data.length, 64)
    assert.equal(shared(data), false)
    break
  }
})

test('what an upgraded connection brings has memory of its own', TIMEOUT, async (t) => {
  const setting = await HttpSetting.start()
  t.after(() => setting.close())
  const inner = new WebSocketServer({ noServer: true })
  const server = http.createServer()
  server.on('upgrade', (req, socket, head) => {
    inner.handleUpgrade(req, socket, head, (peer) => {
      peer.on('message', (data) => peer.send(String(shared(data))))
    })
  })
  setting.server.attach(server)
  const socket = await connect(t, setting.relay.sendUri('hyco'))
  for (let i = 0; i < 5; i++) {
    socket.send(message(64, i))
    assert.equal(String((await once(socket, 'message'))[0]), 'false')
  }
})

test('the body of a refused handshake has memory of its own', TIMEOUT, async (t) => {
  const server = http.createServer((_req, res) => res.end())
  server.on('upgrade', (_req, socket) => {
    socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const socket = hyco.relayedConnect(`ws://127.0.0.1:${server.address().port}`, null)
  const [, response] = await once(socket, 'unexpected-response')
  const [data] = await once(response, 'data')
  assert.equal(String(data), 'no')
  assert.equal(shared(data), false)
  socket.on('error', () => {})
  socket.terminate()
})

for (const size of [64, 20_000, 300_000]) {
  test(`what a worker moved away outlives the worker: ${size} bytes`, TIMEOUT, async (t) => {
    const count = 20
    const address = await serve(t, (peer) => {
      for (let i = 0; i < count; i++) peer.send(message(size, i))
    })
    const program = join(__dirname, 'programs', 'memory', 'moving-worker.js')
    for (let round = 0; round < 5; round++) {
      const worker = new Worker(program, { workerData: { address, count } })
      const [[values], [code]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')])
      assert.equal(code, 0)
      // Whoever gets freed memory now would write into it.
      const others = Array.from({ length: 64 }, () => Buffer.alloc(size, 0xee))
      for (const [i, value] of values.entries()) {
        assert.ok(message(size, i).equals(value), `message ${i} of round ${round}`)
        value.fill(0x11)
      }
      assert.ok(others.every((other) => other.every((byte) => byte === 0xee)))
    }
  })
}
