'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { closed, messages, record, until } = require('../support/watch')

const UNSENT = 'The socket was closed while the blob was being read'

/** A Blob that is read when the row says so. */
class SlowBlob extends Blob {
  constructor(parts) {
    super(parts)
    this.reading = new Promise((resolve, reject) => {
      this.finish = () => resolve(super.arrayBuffer())
      this.fail = reject
    })
  }

  arrayBuffer() {
    return this.reading
  }
}

/** Notes in which order callbacks are called, and with what. */
function notes() {
  const seen = []
  const note = (name) => (error) => seen.push([name, error?.message ?? null])
  return { seen, note }
}

/** What waits while a Blob is being read. */
module.exports = (row) => {
  row('sends nothing that waits for a Blob once it is terminated', async (pair) => {
    const { subject, peer } = await pair.open()
    const received = record(peer)
    const { seen, note } = notes()
    const blob = new SlowBlob(['foo'])
    const ended = Promise.all([closed(subject), closed(peer)])
    subject.send(blob, note('blob'))
    subject.send('baz', note('text'))
    subject.terminate()
    blob.finish()
    await ended
    await until(() => seen.length === 2, 'the callbacks')
    assert.deepEqual(seen, [
      ['blob', UNSENT],
      ['text', UNSENT],
    ])
    assert.deepEqual(received, ['close:1006'])
  })

  row('keeps the order of frames around Blobs', async (pair) => {
    const { subject, peer } = await pair.open()
    const received = messages(peer, 5)
    const { seen, note } = notes()
    const blobs = [new SlowBlob(['2']), new SlowBlob(['4'])]
    subject.send('1', note('1'))
    subject.send(blobs[0], note('2'))
    subject.send('3', note('3'))
    subject.send(blobs[1], note('4'))
    subject.send('5', note('5'))
    blobs[1].finish()
    blobs[0].finish()
    assert.deepEqual(
      (await received).map(({ data }) => String(data)),
      ['1', '2', '3', '4', '5'],
    )
    await until(() => seen.length === 5, 'the callbacks')
    assert.deepEqual(
      seen,
      ['1', '2', '3', '4', '5'].map((name) => [name, null]),
    )
    assert.equal(subject.bufferedAmount, 0)
  })

  row('copies bytes that wait behind a Blob', { masks: true }, async (pair) => {
    const { subject, peer } = await pair.open()
    const received = messages(peer, 2)
    const blob = new SlowBlob(['blob'])
    const bytes = Buffer.from('before')
    subject.send(blob)
    subject.send(bytes)
    if (pair.relayed) bytes.fill('x')
    blob.finish()
    assert.equal(String((await received)[1].data), 'before')
  })

  row('counts what waits behind a Blob as buffered', async (pair) => {
    const { subject, peer } = await pair.open()
    const received = messages(peer, 3)
    const blob = new SlowBlob(['12345'])
    subject.send(blob)
    subject.send('grüße')
    subject.send(Buffer.alloc(10))
    assert.equal(subject.bufferedAmount, 5 + 7 + 10)
    blob.finish()
    await received
    await until(() => subject.bufferedAmount === 0, 'all is written')
  })

  row('tells every callback of a Blob that cannot be read, and ends', async (pair) => {
    const { subject, peer } = await pair.open()
    const received = record(peer)
    const events = record(subject)
    const { seen, note } = notes()
    const blob = new SlowBlob(['foo'])
    const ended = Promise.all([closed(subject), closed(peer)])
    subject.send(blob, note('blob'))
    subject.send('x')
    subject.ping('y', true, note('ping'))
    blob.fail(new Error('disk is gone'))
    await ended
    assert.deepEqual(seen, [
      ['blob', 'disk is gone'],
      ['ping', 'disk is gone'],
    ])
    assert.deepEqual(events, ['error:disk is gone', 'close:1006'])
    assert.deepEqual(received, ['close:1006'])
  })

  row('is CLOSING while it tells of a Blob that cannot be read', async (pair) => {
    const { subject } = await pair.open()
    const blob = new SlowBlob(['foo'])
    const states = []
    subject.on('error', () => states.push(subject.readyState))
    const ended = closed(subject)
    subject.send(blob, () => states.push(subject.readyState))
    blob.fail(new Error('disk is gone'))
    await ended
    // The callback comes before the socket knows.
    assert.deepEqual(states, [subject.OPEN, subject.CLOSING])
  })

  row('sends its close frame behind a Blob', async (pair) => {
    const { subject, peer } = await pair.open()
    const events = record(peer)
    const blob = new SlowBlob(['foo'])
    subject.send(blob)
    subject.close(4000, 'done')
    blob.finish()
    await once(peer, 'close')
    assert.deepEqual(events, ['message:foo', 'close:4000'])
  })

  row('takes a Blob that gives no bytes for one that cannot be read', async (pair) => {
    const { subject, peer } = await pair.open()
    const events = record(subject)
    const { seen, note } = notes()
    const blob = new SlowBlob(['foo'])
    blob.reading = Promise.resolve(5)
    const ended = Promise.all([closed(subject), closed(peer)])
    subject.send(blob, note('blob'))
    subject.send('x', note('text'))
    await ended
    const names = seen.map(([name]) => name)
    assert.deepEqual(names, ['blob', 'text'])
    for (const [, text] of seen) assert.match(text, /Received type number/)
    assert.deepEqual(events, ['error:ERR_INVALID_ARG_TYPE', 'close:1006'])
  })
}
