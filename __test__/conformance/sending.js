'use strict'

const assert = require('node:assert/strict')
const { File } = require('node:buffer')
const pattern = require('../support/pattern')
const { called, closed, message, messages } = require('../support/watch')

const TYPED_ARRAYS = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
]

const SIZES = [0, 1, 125, 126, 127, 65535, 65536, 1 << 20]

async function deliver(pair, ...args) {
  const { subject, peer } = await pair.open()
  const received = message(peer)
  subject.send(...args)
  return received
}

/** What `send()` takes and what the peer gets. */
module.exports = (row) => {
  row('sends a string as text', async (pair) => {
    const { data, isBinary } = await deliver(pair, 'grüße, 世界 🌍')
    assert.equal(data.toString(), 'grüße, 世界 🌍')
    assert.equal(isBinary, false)
  })

  row('sends an empty string as an empty text message', async (pair) => {
    const { data, isBinary } = await deliver(pair, '')
    assert.equal(data.length, 0)
    assert.equal(isBinary, false)
  })

  row('replaces lone surrogates in a string', async (pair) => {
    const { data } = await deliver(pair, 'a\ud800b')
    assert.equal(data.toString(), 'a\ufffdb')
  })

  row('sends a Buffer as binary', async (pair) => {
    const { data, isBinary } = await deliver(pair, pattern(300))
    assert.deepEqual(data, pattern(300))
    assert.equal(isBinary, true)
  })

  row('sends an empty Buffer as an empty binary message', async (pair) => {
    const { data, isBinary } = await deliver(pair, Buffer.alloc(0))
    assert.equal(data.length, 0)
    assert.equal(isBinary, true)
  })

  row('sends an ArrayBuffer', async (pair) => {
    const bytes = new Uint8Array(pattern(70))
    const { data, isBinary } = await deliver(pair, bytes.buffer)
    assert.deepEqual(data, pattern(70))
    assert.equal(isBinary, true)
  })

  row('sends a SharedArrayBuffer', async (pair) => {
    const shared = new SharedArrayBuffer(16)
    new Uint8Array(shared).set(pattern(16))
    const { data, isBinary } = await deliver(pair, shared)
    assert.deepEqual(data, pattern(16))
    assert.equal(isBinary, true)
  })

  for (const Type of TYPED_ARRAYS) {
    row(`sends the bytes of a ${Type.name}`, async (pair) => {
      const array = Type.from([1, 2, 3, 77, 127])
      const { data, isBinary } = await deliver(pair, array)
      assert.deepEqual(data, Buffer.from(array.buffer))
      assert.equal(isBinary, true)
    })
  }

  row('sends the bytes of a BigUint64Array and a BigInt64Array', async (pair) => {
    const { subject, peer } = await pair.open()
    const received = messages(peer, 2)
    const arrays = [BigUint64Array.from([1n, 2n ** 63n]), BigInt64Array.from([-1n, 5n])]
    for (const array of arrays) subject.send(array)
    const got = await received
    arrays.forEach((array, i) => assert.deepEqual(got[i].data, Buffer.from(array.buffer)))
  })

  row('sends only the part that a view covers', async (pair) => {
    const { subject, peer } = await pair.open()
    const received = messages(peer, 3)
    const whole = new Uint8Array(pattern(64)).buffer
    subject.send(new Uint8Array(whole, 8, 5))
    subject.send(new Uint16Array(whole, 16, 3))
    subject.send(new DataView(whole, 33, 7))
    const got = await received
    assert.deepEqual(got[0].data, pattern(64).subarray(8, 13))
    assert.deepEqual(got[1].data, pattern(64).subarray(16, 22))
    assert.deepEqual(got[2].data, pattern(64).subarray(33, 40))
  })

  row('sends a DataView', async (pair) => {
    const { data, isBinary } = await deliver(pair, new DataView(new Uint8Array([5, 6, 7]).buffer))
    assert.deepEqual([...data], [5, 6, 7])
    assert.equal(isBinary, true)
  })

  row('sends a Blob', async (pair) => {
    const { data, isBinary } = await deliver(pair, new Blob(['hello ', pattern(5)]))
    assert.deepEqual(data, Buffer.concat([Buffer.from('hello '), pattern(5)]))
    assert.equal(isBinary, true)
  })

  row('sends an empty Blob', async (pair) => {
    const { data, isBinary } = await deliver(pair, new Blob([]))
    assert.equal(data.length, 0)
    assert.equal(isBinary, true)
  })

  row('sends a File', async (pair) => {
    const { data, isBinary } = await deliver(pair, new File(['text'], 'name.txt'))
    assert.equal(data.toString(), 'text')
    assert.equal(isBinary, true)
  })

  row('sends an array of bytes', async (pair) => {
    const { data, isBinary } = await deliver(pair, [1, 2, 300])
    assert.deepEqual([...data], [1, 2, 44])
    assert.equal(isBinary, true)
  })

  row('sends a number as text', async (pair) => {
    const { subject, peer } = await pair.open()
    const received = messages(peer, 3)
    for (const number of [42, 0, -1.5]) subject.send(number)
    const got = await received
    assert.deepEqual(
      got.map(({ data }) => data.toString()),
      ['42', '0', '-1.5'],
    )
    assert.ok(got.every(({ isBinary }) => isBinary === false))
  })

  row('sends nothing as an empty binary message', async (pair) => {
    const { subject, peer } = await pair.open()
    const received = messages(peer, 3)
    subject.send()
    subject.send(null)
    subject.send(undefined, { binary: true })
    for (const { data, isBinary } of await received) {
      assert.equal(data.length, 0)
      assert.equal(isBinary, true)
    }
  })

  row('throws for what it cannot send, and goes on', async (pair) => {
    const { subject, peer } = await pair.open()
    const received = message(peer)
    assert.throws(() => subject.send({}), TypeError)
    assert.throws(() => subject.send(true), TypeError)
    assert.throws(() => subject.send(() => {}), TypeError)
    subject.send('still here')
    assert.equal((await received).data.toString(), 'still here')
  })

  row('finds no options in what is no object', async (pair) => {
    for (const options of ['utf8', true, 1, 1n, Symbol('none'), null]) {
      assert.equal((await deliver(pair, 'text', options)).isBinary, false)
      assert.equal((await deliver(pair, Buffer.from('bytes'), options)).isBinary, true)
    }
    const { subject, peer } = await pair.open()
    const received = message(peer)
    await called((done) => subject.send('text', 'utf8', done))
    assert.equal((await received).data.toString(), 'text')
  })

  row('sends a string as binary with the option binary', async (pair) => {
    const { data, isBinary } = await deliver(pair, 'hello', { binary: true })
    assert.equal(data.toString(), 'hello')
    assert.equal(isBinary, true)
  })

  row('sends a Buffer as text with binary: false', async (pair) => {
    const { data, isBinary } = await deliver(pair, Buffer.from('hëllo'), { binary: false })
    assert.equal(data.toString(), 'hëllo')
    assert.equal(isBinary, false)
  })

  row('sends a Blob as text with binary: false', async (pair) => {
    const { data, isBinary } = await deliver(pair, new Blob(['hello']), { binary: false })
    assert.equal(data.toString(), 'hello')
    assert.equal(isBinary, false)
  })

  row('accepts the option compress', async (pair) => {
    const { subject, peer } = await pair.open()
    const received = messages(peer, 2)
    subject.send('a'.repeat(3000), { compress: true })
    subject.send('b', { compress: false })
    const [first, second] = await received
    assert.equal(first.data.toString(), 'a'.repeat(3000))
    assert.equal(second.data.toString(), 'b')
  })

  row('accepts an empty options object', async (pair) => {
    const { data, isBinary } = await deliver(pair, 'hello', {})
    assert.equal(data.toString(), 'hello')
    assert.equal(isBinary, false)
  })

  row('accepts null as options', async (pair) => {
    const { data } = await deliver(pair, 'hello', null)
    assert.equal(data.toString(), 'hello')
  })

  row('accepts undefined options beside a callback', async (pair) => {
    const { subject } = await pair.open()
    assert.ok(!(await called((done) => subject.send('hello', undefined, done))))
  })

  for (const size of SIZES) {
    row(`sends a binary message of ${size} bytes`, async (pair) => {
      const { data } = await deliver(pair, pattern(size))
      assert.ok(data.equals(pattern(size)))
    })
  }

  row('sends text of every length form', async (pair) => {
    const { subject, peer } = await pair.open()
    const texts = SIZES.map((size) => 'ö'.repeat(size / 2))
    const received = messages(peer, texts.length)
    for (const text of texts) subject.send(text)
    const got = await received
    texts.forEach((text, i) => assert.equal(got[i].data.toString(), text))
  })

  row('sends a message of 24 MiB', async (pair) => {
    const large = pattern(24 << 20)
    const { data } = await deliver(pair, large)
    assert.ok(data.equals(large))
  })

  row('keeps the order of small and large messages', async (pair) => {
    const { subject, peer } = await pair.open()
    const sizes = Array.from({ length: 200 }, (_, i) => (i % 7 === 0 ? 70_000 + i : i))
    const received = messages(peer, sizes.length)
    for (const size of sizes) subject.send(Buffer.alloc(size))
    const got = await received
    assert.deepEqual(
      got.map(({ data }) => data.length),
      sizes,
    )
  })

  row('keeps the order of ten thousand messages', async (pair) => {
    const { subject, peer } = await pair.open()
    const received = messages(peer, 10_000)
    for (let i = 0; i < 10_000; i++) subject.send(String(i))
    const got = await received
    assert.ok(got.every(({ data }, i) => data.toString() === String(i)))
  })

  row('keeps the order when a Blob is sent between other things', async (pair) => {
    const { subject, peer } = await pair.open()
    const received = messages(peer, 5)
    subject.send('1')
    subject.send(new Blob(['2']))
    subject.send('3')
    subject.send(new Blob(['4']))
    subject.send(Buffer.from('5'))
    const got = await received
    assert.deepEqual(
      got.map(({ data }) => data.toString()),
      ['1', '2', '3', '4', '5'],
    )
  })

  row('sends a Blob before the close that follows', async (pair) => {
    const { subject, peer } = await pair.open()
    const received = message(peer)
    const end = closed(peer)
    subject.send(new Blob(['last words']))
    subject.close(1000)
    assert.equal((await received).data.toString(), 'last words')
    assert.equal((await end).code, 1000)
  })

  row('counts a Blob as buffered while it is read', async (pair) => {
    const { subject } = await pair.open()
    const sent = called((done) => subject.send(new Blob(['12345']), done))
    assert.ok(subject.bufferedAmount >= 5)
    await sent
  })

  row('reports a Blob that cannot be read', async (pair) => {
    const { subject } = await pair.open()
    const reason = new Error('unreadable')
    const blob = {
      [Symbol.toStringTag]: 'Blob',
      arrayBuffer: () => Promise.reject(reason),
      size: 3,
      stream() {},
      type: '',
    }
    const errors = []
    const end = closed(subject)
    subject.on('error', (error) => errors.push(['event', error]))
    subject.send(blob, (error) => errors.push(['callback', error]))
    await end
    assert.deepEqual(errors, [
      ['callback', reason],
      ['event', reason],
    ])
  })
}
