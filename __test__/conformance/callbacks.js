'use strict'

const assert = require('node:assert/strict')
const pattern = require('../support/pattern')
const { called, closed, messages, turn, uncaught, until } = require('../support/watch')

/** The callbacks of `send()`, and the bytes of the caller. */
module.exports = (row) => {
  row('calls the callback of send() once, later, without an error', async (pair) => {
    const { subject } = await pair.open()
    const calls = []
    subject.send('hello', (...args) => calls.push(args))
    assert.equal(calls.length, 0)
    await called((done) => subject.send('after', done))
    await turn()
    assert.equal(calls.length, 1)
    assert.ok(!calls[0][0])
  })

  row('calls the callbacks in the order of the calls', async (pair) => {
    const { subject } = await pair.open()
    const order = []
    const sizes = [10, 100_000, 1, 20_000, 0, 300_000, 5]
    await Promise.all(
      sizes.map((size, i) =>
        called((done) =>
          subject.send(Buffer.alloc(size), () => {
            order.push(i)
            done()
          }),
        ),
      ),
    )
    assert.deepEqual(order, [0, 1, 2, 3, 4, 5, 6])
  })

  row('can send inside a callback of send()', async (pair) => {
    const { subject, peer } = await pair.open()
    const received = messages(peer, 3)
    subject.send('1', () => subject.send('2', () => subject.send('3')))
    const got = await received
    assert.deepEqual(
      got.map(({ data }) => data.toString()),
      ['1', '2', '3'],
    )
  })

  row('can send inside a message handler', async (pair) => {
    const { subject, peer } = await pair.open()
    subject.on('message', (data) => subject.send(`${data}!`))
    const received = messages(peer, 3)
    for (const word of ['a', 'b', 'c']) peer.send(word)
    const got = await received
    assert.deepEqual(
      got.map(({ data }) => data.toString()),
      ['a!', 'b!', 'c!'],
    )
  })

  row('gives the callback of send() an error while CLOSING', async (pair) => {
    const { subject } = await pair.open()
    subject.close()
    let returned = false
    const reported = called((done) => subject.send('late', (error) => done({ error, returned })))
    returned = true
    const { error, ...when } = await reported
    assert.equal(error.message, 'WebSocket is not open: readyState 2 (CLOSING)')
    assert.deepEqual(when, { returned: true })
  })

  row('gives the callback of send() an error when CLOSED', async (pair) => {
    const { subject } = await pair.open()
    subject.close()
    await closed(subject)
    const error = await called((done) => subject.send('late', {}, done))
    assert.equal(error.message, 'WebSocket is not open: readyState 3 (CLOSED)')
  })

  row('does not throw when send() is called after close() without a callback', async (pair) => {
    const { subject } = await pair.open()
    subject.close()
    subject.send('late')
    await closed(subject)
    subject.send('later')
    subject.ping()
    subject.pong()
  })

  row('calls every callback once when the connection is cut', async (pair) => {
    const { subject, peer } = await pair.raw()
    peer.pause()
    const calls = Array.from({ length: 64 }, () => 0)
    const errors = []
    for (let i = 0; i < calls.length; i++) {
      subject.send(Buffer.alloc(1 << 20), (error) => {
        calls[i]++
        if (error) errors.push(error)
      })
    }
    const end = closed(subject)
    subject.terminate()
    assert.equal((await end).code, 1006)
    await turn()
    assert.ok(
      calls.every((count) => count === 1),
      calls.join(),
    )
    assert.ok(errors.length > 0)
    assert.ok(errors.every((error) => error instanceof Error))
  })

  row('calls the callbacks after one that throws', { relayed: true }, async (pair) => {
    const { subject } = await pair.open()
    const calls = []
    const errors = await uncaught(async (collected) => {
      for (const name of ['1', '2', '3', '4']) {
        subject.send(name, () => {
          calls.push(name)
          if (name < '3') throw new Error(`thrown for ${name}`)
        })
      }
      await until(() => calls.length === 4 && collected.length === 2, 'all callbacks')
    })
    assert.deepEqual(calls, ['1', '2', '3', '4'])
    assert.deepEqual(
      errors.map((error) => error.message),
      ['thrown for 1', 'thrown for 2'],
    )
  })

  row('calls the callbacks after one that throws at the end', { relayed: true }, async (pair) => {
    const { subject, peer } = await pair.raw()
    peer.pause()
    const calls = Array.from({ length: 64 }, () => 0)
    const errors = await uncaught(async () => {
      for (let i = 0; i < calls.length; i++) {
        subject.send(Buffer.alloc(1 << 20), (error) => {
          calls[i]++
          if (error) throw new Error(`thrown for ${i}`)
        })
      }
      const end = closed(subject)
      subject.terminate()
      await end
      await until(() => calls.every((count) => count === 1), 'all callbacks')
    })
    assert.ok(errors.length > 1)
    const expected = errors.map((_, i) => `thrown for ${calls.length - errors.length + i}`)
    assert.deepEqual(
      errors.map((error) => error.message),
      expected,
    )
  })

  row('leaves the buffer of the caller as it is', async (pair) => {
    const { subject } = await pair.open()
    const bytes = [pattern(10), pattern(1000), pattern(100_000)]
    for (const buffer of bytes) await called((done) => subject.send(buffer, done))
    for (const buffer of bytes) assert.ok(buffer.equals(pattern(buffer.length)))
  })

  row('sends what a buffer held when send() was called', { masks: true }, async (pair) => {
    const { subject, peer } = await pair.open()
    const sizes = [10, 1000, 40_000, 300_000]
    const received = messages(peer, sizes.length)
    for (const size of sizes) {
      const buffer = pattern(size)
      subject.send(buffer)
      buffer.fill(0)
    }
    for (const { data } of await received) assert.ok(data.equals(pattern(data.length)))
  })
}
