'use strict'

const assert = require('node:assert/strict')
const { OPCODE } = require('../support/raw-peer')
const { message } = require('../support/watch')

/** What is on the wire. */
module.exports = (row) => {
  row('sends fragments with fin: false, which the peer gets as one message', async (pair) => {
    const { subject, peer } = await pair.open()
    const received = message(peer)
    subject.send('one ', { fin: false })
    subject.send('two ', { fin: false })
    subject.send('three', { fin: true })
    const { data, isBinary } = await received
    assert.equal(data.toString(), 'one two three')
    assert.equal(isBinary, false)
  })

  row('puts fragments on the wire as they are sent', async (pair) => {
    const { subject, peer } = await pair.raw()
    subject.send(Buffer.from('a'), { fin: false })
    subject.send(Buffer.from('b'), { fin: false })
    subject.send(Buffer.from('c'))
    subject.send('next')
    const frames = [await peer.next(), await peer.next(), await peer.next(), await peer.next()]
    const shape = frames.map(({ fin, opcode, payload }) => [fin, opcode, payload.toString()])
    assert.deepEqual(shape, [
      [false, OPCODE.binary, 'a'],
      [false, OPCODE.continuation, 'b'],
      [true, OPCODE.continuation, 'c'],
      [true, OPCODE.text, 'next'],
    ])
  })

  row('sends a ping between fragments', async (pair) => {
    const { subject, peer } = await pair.raw()
    subject.send('a', { fin: false })
    subject.ping('between')
    subject.send('b')
    const frames = [await peer.next(), await peer.next(), await peer.next()]
    assert.deepEqual(
      frames.map(({ opcode }) => opcode),
      [OPCODE.text, OPCODE.ping, OPCODE.continuation],
    )
  })

  row('lets the first fragment decide the type', async (pair) => {
    const { subject, peer } = await pair.open()
    const received = message(peer)
    subject.send('text', { fin: false })
    subject.send(Buffer.from(' bytes'), { binary: true })
    const { data, isBinary } = await received
    assert.equal(data.toString(), 'text bytes')
    assert.equal(isBinary, false)
  })

  row('sends empty fragments', async (pair) => {
    const { subject, peer } = await pair.open()
    const received = message(peer)
    subject.send('', { fin: false })
    subject.send('x', { fin: false })
    subject.send('', { fin: true })
    assert.equal((await received).data.toString(), 'x')
  })

  row('masks as its role demands, with a new key for every frame', async (pair) => {
    const { subject, peer } = await pair.raw()
    for (let i = 0; i < 5; i++) subject.send('same')
    for (let i = 0; i < 5; i++) {
      const { masked, payload } = await peer.next()
      assert.equal(masked, pair.masks)
      assert.equal(payload.toString(), 'same')
    }
  })

  row('masks or not as the option mask says', async (pair) => {
    const { subject, peer } = await pair.raw()
    subject.send('masked', { mask: true })
    subject.send('plain', { mask: false })
    const first = await peer.next()
    const second = await peer.next()
    assert.deepEqual([first.masked, first.payload.toString()], [true, 'masked'])
    assert.deepEqual([second.masked, second.payload.toString()], [false, 'plain'])
  })

  row('uses the shortest length form and no reserved bits', async (pair) => {
    const { subject, peer } = await pair.raw()
    for (const size of [125, 126, 65535, 65536]) subject.send(Buffer.alloc(size))
    const mask = pair.masks ? 4 : 0
    const expected = [125, 126, 65535, 65536].reduce(
      (sum, size) => sum + size + mask,
      2 + 4 + 4 + 10,
    )
    for (let i = 0; i < 4; i++) assert.equal((await peer.next()).rsv, 0)
    assert.equal(peer.bytesRead, expected)
  })
}
