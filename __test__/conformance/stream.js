'use strict'

const assert = require('node:assert/strict')
const { createHash } = require('node:crypto')
const { once } = require('node:events')
const { Duplex, Readable, Writable } = require('node:stream')
const { pipeline } = require('node:stream/promises')
const { createWebSocketStream } = require('ws')
const { closed, message, messages, record, until } = require('../support/watch')

/** A stream of pseudo-random bytes, and their hash at the end. */
function source(length, chunk = 60_000) {
  const hash = createHash('sha256')
  let left = length
  const stream = new Readable({
    read() {
      if (left === 0) {
        this.push(null)
        return
      }
      const bytes = Buffer.alloc(Math.min(chunk, left), left & 0xff)
      bytes.writeUInt32LE(left, 0)
      left -= bytes.length
      hash.update(bytes)
      this.push(bytes)
    },
  })
  return { stream, digest: () => hash.digest('hex') }
}

/** A stream that swallows bytes, and their hash. */
function sink() {
  const hash = createHash('sha256')
  const stream = new Writable({
    write(bytes, encoding, done) {
      hash.update(bytes)
      done()
    },
  })
  return { stream, digest: () => hash.digest('hex') }
}

/** Waits for the end of a stream, whatever it was. */
function gone(stream) {
  return new Promise((resolve) => stream.once('close', resolve))
}

/** Sockets as streams of Node, by `createWebSocketStream` of ws, unchanged. */
module.exports = (row) => {
  row('becomes a Duplex', async (pair) => {
    const { subject } = await pair.open()
    const stream = createWebSocketStream(subject)
    stream.on('error', () => {})
    assert.ok(stream instanceof Duplex)
  })

  row('writes chunks as binary messages', async (pair) => {
    const { subject, peer } = await pair.open()
    const stream = createWebSocketStream(subject)
    const received = messages(peer, 2)
    stream.write('text')
    stream.write(Buffer.from([1, 2]))
    const got = await received
    assert.deepEqual(
      got.map(({ isBinary }) => isBinary),
      [true, true],
    )
    assert.equal(got[0].data.toString(), 'text')
    assert.deepEqual([...got[1].data], [1, 2])
  })

  row('writes strings as text with decodeStrings: false', async (pair) => {
    const { subject, peer } = await pair.open()
    const stream = createWebSocketStream(subject, { decodeStrings: false })
    const received = message(peer)
    stream.write('text')
    const { data, isBinary } = await received
    assert.deepEqual([data.toString(), isBinary], ['text', false])
  })

  row('reads messages as chunks', async (pair) => {
    const { subject, peer } = await pair.open()
    const stream = createWebSocketStream(subject)
    peer.send('text ')
    peer.send(Buffer.from('bytes'))
    peer.close()
    const chunks = []
    for await (const chunk of stream) chunks.push(chunk)
    assert.equal(Buffer.concat(chunks).toString(), 'text bytes')
  })

  row('reads strings with an encoding', async (pair) => {
    const { subject, peer } = await pair.open()
    const stream = createWebSocketStream(subject, { encoding: 'utf8' })
    peer.send('grüße')
    const [chunk] = await once(stream, 'data')
    assert.equal(chunk, 'grüße')
  })

  row('reads text as strings and binary as Buffers with readableObjectMode', async (pair) => {
    const { subject, peer } = await pair.open()
    const stream = createWebSocketStream(subject, { readableObjectMode: true })
    peer.send('text')
    peer.send(Buffer.from([1]))
    peer.close()
    const chunks = []
    for await (const chunk of stream) chunks.push(chunk)
    assert.equal(chunks[0], 'text')
    assert.deepEqual(chunks[1], Buffer.from([1]))
  })

  row('ends when the peer closes', async (pair) => {
    const { subject, peer } = await pair.open()
    const stream = createWebSocketStream(subject)
    stream.resume()
    const ended = once(stream, 'end')
    const end = gone(stream)
    peer.close()
    await ended
    stream.end()
    await end
  })

  row('closes the socket without a code when it is ended', async (pair) => {
    const { subject, peer } = await pair.open()
    const stream = createWebSocketStream(subject)
    const ends = Promise.all([closed(subject), closed(peer)])
    stream.resume()
    const finished = once(stream, 'finish')
    const end = gone(stream)
    stream.end('last')
    await finished
    assert.deepEqual(
      (await ends).map(({ code }) => code),
      [1005, 1005],
    )
    await end
  })

  row('delivers everything that was written before end()', async (pair) => {
    const { subject, peer } = await pair.open()
    const stream = createWebSocketStream(subject)
    const events = record(peer)
    const end = closed(peer)
    stream.resume()
    stream.write('1')
    stream.write('2')
    stream.end('3')
    await end
    assert.deepEqual(events, ['message:1', 'message:2', 'message:3', 'close:1005'])
  })

  row('terminates the socket when it is destroyed', async (pair) => {
    const { subject, peer } = await pair.open()
    const stream = createWebSocketStream(subject)
    const ends = Promise.all([closed(subject), closed(peer)])
    const end = gone(stream)
    stream.destroy()
    assert.deepEqual(
      (await ends).map(({ code }) => code),
      [1006, 1006],
    )
    await end
  })

  row('emits the error it is destroyed with', async (pair) => {
    const { subject } = await pair.open()
    const stream = createWebSocketStream(subject)
    const end = closed(subject)
    const failure = once(stream, 'error')
    stream.destroy(new Error('enough'))
    const [error] = await failure
    assert.equal(error.message, 'enough')
    assert.equal((await end).code, 1006)
  })

  row('emits the error of a violation', async (pair) => {
    const { subject, peer } = await pair.raw()
    const stream = createWebSocketStream(subject)
    const failure = once(stream, 'error')
    const end = gone(stream)
    peer.send('x', { opcode: 3 })
    peer.answerClose()
    const [error] = await failure
    assert.equal(error.code, 'WS_ERR_INVALID_OPCODE')
    await end
  })

  row('ends when the connection is lost', async (pair) => {
    const { subject, peer } = await pair.raw()
    const stream = createWebSocketStream(subject)
    const chunks = []
    stream.on('data', (chunk) => chunks.push(String(chunk)))
    const ended = once(stream, 'end')
    peer.send('last')
    peer.end()
    await ended
    assert.deepEqual(chunks, ['last'])
  })

  row('pauses the socket when nobody reads', async (pair) => {
    const { subject, peer } = await pair.open()
    const stream = createWebSocketStream(subject, { readableHighWaterMark: 1000 })
    for (let i = 0; i < 10; i++) peer.send(Buffer.alloc(500))
    await until(() => subject.isPaused, 'the pause')
    assert.equal(subject.isPaused, true)
    let bytes = 0
    stream.on('data', (chunk) => {
      bytes += chunk.length
    })
    await until(() => bytes === 5000, 'everything')
    assert.equal(subject.isPaused, false)
  })

  row('makes a writer wait while the peer does not read', async (pair) => {
    const { subject, peer } = await pair.raw()
    const stream = createWebSocketStream(subject)
    stream.on('error', () => {})
    peer.pause()
    const chunk = Buffer.alloc(1 << 20)
    let written = 0
    let drained = 0
    stream.on('drain', () => drained++)
    for (let i = 0; i < 48; i++) stream.write(chunk, () => written++)
    await new Promise((resolve) => setTimeout(resolve, 100))
    assert.ok(written < 40, `${written} of 48 written`)
    assert.equal(drained, 0)
    assert.equal(stream.writableNeedDrain, true)
    peer.resume()
    await until(() => written === 48, 'everything')
    await until(() => drained === 1, 'the drain')
  })

  row('queues what is written before it is open', { role: 'client' }, async (pair) => {
    let received
    await pair.open({
      onSubject: (socket) => {
        const stream = createWebSocketStream(socket)
        stream.write('early')
        stream.end('end')
        stream.resume()
      },
      onPeer: (socket) => {
        received = messages(socket, 2)
      },
    })
    const got = await received
    assert.deepEqual(
      got.map(({ data }) => data.toString()),
      ['early', 'end'],
    )
  })

  row('fails when it is destroyed before it is open', { role: 'client' }, async (pair) => {
    const subject = pair.keep(pair.connect(await pair.deaf()))
    const stream = createWebSocketStream(subject)
    const failure = once(stream, 'error')
    const end = gone(stream)
    stream.destroy()
    const [error] = await failure
    assert.equal(error.message, 'WebSocket was closed before the connection was established')
    await end
  })

  row('can be wrapped inside the connection event', { role: 'server' }, async (pair) => {
    const { peer } = await pair.open({
      onSubject: (socket) => {
        const stream = createWebSocketStream(socket)
        stream.pipe(stream)
      },
    })
    const received = message(peer)
    peer.send(Buffer.from('echo'))
    assert.equal((await received).data.toString(), 'echo')
  })

  row('pipes 8 MiB out', async (pair) => {
    const { subject, peer } = await pair.open()
    const from = source(8 << 20)
    const to = sink()
    await Promise.all([
      pipeline(from.stream, createWebSocketStream(subject).resume()),
      pipeline(createWebSocketStream(peer), to.stream),
    ])
    assert.equal(to.digest(), from.digest())
  })

  row('pipes 8 MiB in', async (pair) => {
    const { subject, peer } = await pair.open()
    const from = source(8 << 20)
    const to = sink()
    await Promise.all([
      pipeline(from.stream, createWebSocketStream(peer).resume()),
      pipeline(createWebSocketStream(subject), to.stream),
    ])
    assert.equal(to.digest(), from.digest())
  })

  row('pipes through an echo in both directions at once', async (pair) => {
    const { subject, peer } = await pair.open()
    const echo = createWebSocketStream(peer)
    echo.pipe(echo)
    const stream = createWebSocketStream(subject)
    const from = source(4 << 20, 10_000)
    const hash = createHash('sha256')
    let bytes = 0
    stream.on('data', (chunk) => {
      hash.update(chunk)
      bytes += chunk.length
    })
    from.stream.pipe(stream, { end: false })
    await until(() => bytes === 4 << 20, 'everything')
    assert.equal(hash.digest('hex'), from.digest())
  })
}
