'use strict'

const assert = require('node:assert/strict')
const { OPCODE } = require('../support/raw-peer')
const { called, closed, message, messages, record, turn, until } = require('../support/watch')

/** The frame a call puts on the wire. */
async function sent(pair, call) {
  const { subject, peer } = await pair.raw()
  call(subject)
  const { opcode, payload, fin } = await peer.next()
  return { opcode, payload, fin }
}

/** Pings, pongs, and pausing. */
module.exports = (row) => {
  for (const [method, opcode] of [
    ['ping', OPCODE.ping],
    ['pong', OPCODE.pong],
  ]) {
    row(`sends a ${method} without data`, async (pair) => {
      const frame = await sent(pair, (socket) => socket[method]())
      assert.deepEqual(frame, { opcode, payload: Buffer.alloc(0), fin: true })
    })

    row(`sends a ${method} with a string`, async (pair) => {
      const frame = await sent(pair, (socket) => socket[method]('hällo'))
      assert.deepEqual(frame, { opcode, payload: Buffer.from('hällo'), fin: true })
    })

    row(`sends a ${method} with a Buffer`, async (pair) => {
      const frame = await sent(pair, (socket) => socket[method](Buffer.from([1, 2])))
      assert.deepEqual(frame, { opcode, payload: Buffer.from([1, 2]), fin: true })
    })

    row(`sends a ${method} with an ArrayBuffer and with a view`, async (pair) => {
      const { subject, peer } = await pair.raw()
      const bytes = Uint8Array.from([1, 2, 3, 4])
      subject[method](bytes.buffer)
      subject[method](bytes.subarray(1, 3))
      assert.deepEqual([...(await peer.next()).payload], [1, 2, 3, 4])
      assert.deepEqual([...(await peer.next()).payload], [2, 3])
    })

    row(`sends a ${method} with a number as text`, async (pair) => {
      const frame = await sent(pair, (socket) => socket[method](0))
      assert.equal(frame.payload.toString(), '0')
    })

    row(`sends a ${method} with a Blob`, async (pair) => {
      const frame = await sent(pair, (socket) => socket[method](new Blob(['blob'])))
      assert.deepEqual(frame, { opcode, payload: Buffer.from('blob'), fin: true })
    })

    row(`sends a ${method} with 125 bytes`, async (pair) => {
      const frame = await sent(pair, (socket) => socket[method](Buffer.alloc(125, 1)))
      assert.deepEqual(frame.payload, Buffer.alloc(125, 1))
    })

    row(`throws for a ${method} with more than 125 bytes, and goes on`, async (pair) => {
      const { subject, peer } = await pair.open()
      const received = message(peer)
      const expected = {
        name: 'RangeError',
        message: 'The data size must not be greater than 125 bytes',
      }
      assert.throws(() => subject[method](Buffer.alloc(126)), expected)
      assert.throws(() => subject[method]('ä'.repeat(63)), expected)
      assert.throws(() => subject[method](new Blob(['a'.repeat(126)])), expected)
      subject.send('still here')
      assert.equal((await received).data.toString(), 'still here')
    })

    row(`takes the callback of ${method}() in every place`, async (pair) => {
      const { subject, peer } = await pair.raw()
      assert.ok(!(await called((done) => subject[method](done))))
      assert.ok(!(await called((done) => subject[method]('two', done))))
      assert.ok(!(await called((done) => subject[method]('three', pair.masks, done))))
      assert.ok(!(await called((done) => subject[method]('four', undefined, done))))
      const payloads = []
      for (let i = 0; i < 4; i++) payloads.push((await peer.next()).payload.toString())
      assert.deepEqual(payloads, ['', 'two', 'three', 'four'])
    })

    row(`masks a ${method} as its role demands and as its argument says`, async (pair) => {
      const { subject, peer } = await pair.raw()
      subject[method]('a')
      subject[method]('b', true)
      subject[method]('c', false)
      const masked = []
      for (let i = 0; i < 3; i++) masked.push((await peer.next()).masked)
      assert.deepEqual(masked, [pair.masks, true, false])
    })

    row(`gives the callback of ${method}() an error after close()`, async (pair) => {
      const { subject } = await pair.open()
      subject.close()
      const closing = await called((done) => subject[method]('x', done))
      assert.equal(closing.message, 'WebSocket is not open: readyState 2 (CLOSING)')
      await closed(subject)
      const after = await called((done) => subject[method](done))
      assert.equal(after.message, 'WebSocket is not open: readyState 3 (CLOSED)')
    })

    row(`emits a ${method} with its payload`, async (pair) => {
      const { subject, peer } = await pair.open({ direct: true })
      const received = new Promise((resolve) => subject.once(method, (...args) => resolve(args)))
      peer[method]('hällo')
      const [data, ...rest] = await received
      assert.ok(Buffer.isBuffer(data))
      assert.equal(data.toString(), 'hällo')
      assert.deepEqual(rest, [])
    })

    row(`emits a ${method} without payload`, async (pair) => {
      const { subject, peer } = await pair.open({ direct: true })
      const received = new Promise((resolve) => subject.once(method, resolve))
      peer[method]()
      const data = await received
      assert.ok(Buffer.isBuffer(data))
      assert.equal(data.length, 0)
    })
  }

  row('answers a ping with its payload', async (pair) => {
    const { peer } = await pair.raw()
    peer.send('payload', { opcode: OPCODE.ping })
    peer.send('', { opcode: OPCODE.ping })
    const first = await peer.next()
    const second = await peer.next()
    assert.deepEqual([first.opcode, first.payload.toString()], [OPCODE.pong, 'payload'])
    assert.deepEqual([second.opcode, second.payload.length], [OPCODE.pong, 0])
    assert.equal(first.masked, pair.masks)
  })

  row('answers many pings from one segment in order', async (pair) => {
    const { peer } = await pair.raw()
    const pings = Array.from({ length: 60 }, (_, i) =>
      peer.frame(String(i), { opcode: OPCODE.ping }),
    )
    peer.write(...pings)
    for (let i = 0; i < 60; i++) assert.equal((await peer.next()).payload.toString(), String(i))
  })

  row('does not answer a ping with autoPong: false', async (pair) => {
    const { subject, peer } = await pair.raw({ subject: { autoPong: false } })
    const events = record(subject)
    peer.send('unanswered', { opcode: OPCODE.ping })
    await until(() => events.length === 1, 'a ping')
    subject.send('next')
    assert.equal((await peer.next()).opcode, OPCODE.text)
  })

  row('lets a program answer pings itself with autoPong: false', async (pair) => {
    const { subject, peer } = await pair.raw({ subject: { autoPong: false } })
    subject.on('ping', (data) => subject.pong(`${data}!`))
    peer.send('mine', { opcode: OPCODE.ping })
    const { opcode, payload } = await peer.next()
    assert.deepEqual([opcode, payload.toString()], [OPCODE.pong, 'mine!'])
  })

  row('does not answer a ping once it has sent a close frame', async (pair) => {
    const { subject, peer } = await pair.raw()
    const events = record(subject)
    subject.close()
    assert.equal((await peer.next()).opcode, OPCODE.close)
    peer.send('late', { opcode: OPCODE.ping })
    await until(() => events.length === 1, 'a ping')
    assert.deepEqual(events, ['ping:late'])
    peer.write(peer.closeFrame(1000))
    peer.end()
    assert.equal(await peer.next(), null)
  })

  row('accepts a pong that nobody asked for', async (pair) => {
    const { subject, peer } = await pair.raw()
    const events = record(subject)
    peer.send('unasked', { opcode: OPCODE.pong })
    peer.send('next')
    await until(() => events.length === 2, 'two events')
    assert.deepEqual(events, ['pong:unasked', 'message:next'])
  })

  row('gets a pong for its ping', async (pair) => {
    const { subject } = await pair.open()
    const received = new Promise((resolve) => subject.once('pong', resolve))
    subject.ping('are you there?')
    assert.equal((await received).toString(), 'are you there?')
  })

  row('ends a flood of pings whose pongs are not read', async (pair) => {
    const { subject, peer } = await pair.raw()
    peer.pause()
    const end = closed(subject)
    const pings = Buffer.concat(
      Array.from({ length: 500 }, () => peer.frame(Buffer.alloc(125), { opcode: OPCODE.ping })),
    )
    let written = 0
    while (subject.readyState === subject.OPEN && written < 64 << 20) {
      written += pings.length
      peer.write(pings)
      await turn()
    }
    assert.equal((await end).code, 1006)
  })

  row('answers any number of pings with maxPendingAutoPongs: 0', async (pair) => {
    const { peer } = await pair.raw({ subject: { maxPendingAutoPongs: 0 } })
    const pings = Array.from({ length: 500 }, (_, i) => peer.frame(`${i}`, { opcode: OPCODE.ping }))
    peer.write(...pings)
    for (let i = 0; i < 500; i++) assert.equal((await peer.next()).payload.toString(), String(i))
  })

  row('emits nothing while it is paused, and everything in order once resumed', async (pair) => {
    const { subject, peer } = await pair.open()
    const events = record(subject)
    subject.pause()
    peer.send('1')
    peer.send('2')
    await called((done) => peer.send('3', done))
    await new Promise((resolve) => setTimeout(resolve, 30))
    assert.deepEqual(events, [])
    subject.resume()
    await until(() => events.length === 3, 'three messages')
    assert.deepEqual(events, ['message:1', 'message:2', 'message:3'])
  })

  row('sees no close while it is paused', async (pair) => {
    const { subject, peer } = await pair.open()
    const events = record(subject)
    subject.pause()
    peer.send('last')
    peer.close(3000)
    await new Promise((resolve) => setTimeout(resolve, 30))
    assert.deepEqual(events, [])
    assert.equal(subject.readyState, subject.OPEN)
    const end = closed(subject)
    subject.resume()
    assert.equal((await end).code, 3000)
    assert.deepEqual(events, ['message:last', 'close:3000'])
  })

  row('can send while it is paused', async (pair) => {
    const { subject, peer } = await pair.open()
    const received = messages(peer, 2)
    subject.pause()
    subject.send('1')
    subject.send('2')
    const got = await received
    assert.deepEqual(
      got.map(({ data }) => data.toString()),
      ['1', '2'],
    )
  })

  row('can be paused inside the connection event', { role: 'server' }, async (pair) => {
    const events = []
    const { subject, peer } = await pair.open({
      onSubject: (socket) => {
        socket.pause()
        socket.on('message', (data) => events.push(String(data)))
      },
    })
    peer.send('held back')
    await new Promise((resolve) => setTimeout(resolve, 20))
    assert.deepEqual(events, [])
    subject.resume()
    await until(() => events.length === 1, 'a message')
    assert.deepEqual(events, ['held back'])
  })

  row('can be paused and resumed often', async (pair) => {
    const { subject, peer } = await pair.open()
    const received = []
    subject.on('message', (data) => {
      received.push(String(data))
      subject.pause()
      setImmediate(() => subject.resume())
    })
    for (let i = 0; i < 50; i++) peer.send(String(i))
    await until(() => received.length === 50, 'fifty messages')
    assert.deepEqual(
      received,
      Array.from({ length: 50 }, (_, i) => String(i)),
    )
  })

  row('stops the network while it is paused (C39)', async (pair) => {
    const { subject, peer } = await pair.open()
    let bytes = 0
    subject.on('message', (data) => {
      bytes += data.length
    })
    subject.pause()
    const chunk = Buffer.alloc(1 << 20)
    for (let i = 0; i < 80; i++) peer.send(chunk)
    await new Promise((resolve) => setTimeout(resolve, 200))
    assert.equal(bytes, 0)
    assert.ok(peer.bufferedAmount > 16 * chunk.length, `only ${peer.bufferedAmount} held back`)
    subject.resume()
    await until(() => bytes === 80 * chunk.length, 'everything')
    await until(() => peer.bufferedAmount === 0, 'the end of the buffer')
  })

  row('takes pause() and resume() after the close without effect', async (pair) => {
    const { subject } = await pair.open()
    subject.close()
    await closed(subject)
    subject.pause()
    assert.equal(subject.isPaused, false)
    subject.resume()
    assert.equal(subject.isPaused, false)
  })

  row('stays paused for good where it was closed while paused', async (pair) => {
    const { subject } = await pair.open()
    subject.pause()
    const end = closed(subject)
    subject.terminate()
    await end
    assert.equal(subject.isPaused, true)
    subject.resume()
    assert.equal(subject.isPaused, true)
  })

  row('can be terminated while it is paused', async (pair) => {
    const { subject, peer } = await pair.open()
    subject.pause()
    const ends = Promise.all([closed(subject), closed(peer)])
    subject.terminate()
    assert.deepEqual(
      (await ends).map(({ code }) => code),
      [1006, 1006],
    )
  })
}
