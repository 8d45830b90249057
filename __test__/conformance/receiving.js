'use strict'

const assert = require('node:assert/strict')
const { OPCODE } = require('../support/raw-peer')
const { closed, message, messages, record, turn, until } = require('../support/watch')

/** What a peer sends and how the subject hands it over. */
module.exports = (row) => {
  row('emits text as a Buffer with isBinary false', async (pair) => {
    const { subject, peer } = await pair.open()
    const received = message(subject)
    peer.send('grüße 🌍')
    const { data, isBinary } = await received
    assert.ok(Buffer.isBuffer(data))
    assert.equal(data.toString(), 'grüße 🌍')
    assert.equal(isBinary, false)
  })

  row('emits binary as a Buffer with isBinary true', async (pair) => {
    const { subject, peer } = await pair.open()
    const received = message(subject)
    peer.send(Buffer.from([1, 2, 3]))
    const { data, isBinary } = await received
    assert.ok(Buffer.isBuffer(data))
    assert.deepEqual([...data], [1, 2, 3])
    assert.equal(isBinary, true)
  })

  row('emits message with exactly two arguments', async (pair) => {
    const { subject, peer } = await pair.open()
    const received = new Promise((resolve) => subject.on('message', (...args) => resolve(args)))
    peer.send('hello')
    assert.equal((await received).length, 2)
  })

  row('calls message listeners with the socket as this', async (pair) => {
    const { subject, peer } = await pair.open()
    const received = new Promise((resolve) =>
      subject.on('message', function onMessage() {
        resolve(this)
      }),
    )
    peer.send('hello')
    assert.equal(await received, subject)
  })

  row('emits empty messages', async (pair) => {
    const { subject, peer } = await pair.open()
    const received = messages(subject, 2)
    peer.send('')
    peer.send(Buffer.alloc(0))
    const [text, binary] = await received
    assert.deepEqual([text.data.length, text.isBinary], [0, false])
    assert.deepEqual([binary.data.length, binary.isBinary], [0, true])
  })

  row('emits binary as an ArrayBuffer with binaryType arraybuffer', async (pair) => {
    const { subject, peer } = await pair.open()
    subject.binaryType = 'arraybuffer'
    const received = messages(subject, 4)
    peer.send(Buffer.from([1, 2, 3]))
    peer.send(Buffer.alloc(0))
    peer.send(Buffer.alloc(100_000, 7))
    peer.send('text')
    const [small, empty, large, text] = (await received).map(({ data }) => data)
    assert.ok(small instanceof ArrayBuffer)
    assert.deepEqual([...new Uint8Array(small)], [1, 2, 3])
    assert.ok(empty instanceof ArrayBuffer)
    assert.equal(empty.byteLength, 0)
    assert.ok(large instanceof ArrayBuffer)
    assert.ok(Buffer.from(large).equals(Buffer.alloc(100_000, 7)))
    assert.ok(Buffer.isBuffer(text))
  })

  row('emits binary as a Blob with binaryType blob', async (pair) => {
    const { subject, peer } = await pair.open()
    subject.binaryType = 'blob'
    const received = messages(subject, 3)
    peer.send(Buffer.from('hello'))
    peer.send(Buffer.alloc(0))
    peer.send('text')
    const [blob, empty, text] = (await received).map(({ data }) => data)
    assert.ok(blob instanceof Blob)
    assert.equal(await blob.text(), 'hello')
    assert.ok(empty instanceof Blob)
    assert.equal(empty.size, 0)
    assert.ok(Buffer.isBuffer(text))
  })

  row('emits binary as an array of Buffers with binaryType fragments', async (pair) => {
    const { subject, peer } = await pair.raw()
    subject.binaryType = 'fragments'
    const received = messages(subject, 4)
    peer.send('ab', { opcode: OPCODE.binary, fin: false })
    peer.send('c', { opcode: OPCODE.continuation, fin: false })
    peer.send('def', { opcode: OPCODE.continuation })
    peer.send('whole', { opcode: OPCODE.binary })
    peer.send('', { opcode: OPCODE.binary })
    peer.send('text')
    const [three, one, none, text] = (await received).map(({ data }) => data)
    assert.ok(three.every(Buffer.isBuffer))
    assert.deepEqual(three.map(String), ['ab', 'c', 'def'])
    assert.deepEqual(one.map(String), ['whole'])
    assert.deepEqual(none, [])
    assert.ok(Buffer.isBuffer(text))
  })

  row('changes the type of the messages that come after a change of binaryType', async (pair) => {
    const { subject, peer } = await pair.open()
    const types = []
    const order = ['arraybuffer', 'fragments', 'blob', 'nodebuffer']
    subject.on('message', (data) => {
      types.push(data.constructor.name)
      subject.binaryType = order[types.length - 1]
    })
    for (let i = 0; i < 5; i++) peer.send(Buffer.from('x'))
    await until(() => types.length === 5, 'five messages')
    assert.deepEqual(types, ['Buffer', 'ArrayBuffer', 'Array', 'Blob', 'Buffer'])
  })

  row('keeps the order of text, binary and close', async (pair) => {
    const { subject, peer } = await pair.open()
    const events = record(subject)
    peer.send('1')
    peer.send(Buffer.from('2'))
    peer.send('3')
    peer.close(1000)
    await closed(subject)
    assert.deepEqual(events, ['message:1', 'message:2', 'message:3', 'close:1000'])
  })

  row('keeps the order of messages and control frames', async (pair) => {
    const { subject, peer } = await pair.open({ direct: true })
    const events = record(subject)
    peer.send('1')
    peer.ping('2')
    peer.send('3')
    peer.pong('4')
    peer.send('5')
    peer.close(1000)
    await closed(subject)
    assert.deepEqual(events, [
      'message:1',
      'ping:2',
      'message:3',
      'pong:4',
      'message:5',
      'close:1000',
    ])
  })

  row('joins fragments', async (pair) => {
    const { subject, peer } = await pair.open()
    const received = messages(subject, 2)
    peer.send('one ', { fin: false })
    peer.send('two', { fin: true })
    peer.send(Buffer.from([1]), { fin: false })
    peer.send(Buffer.from([2]), { fin: false })
    peer.send(Buffer.from([3]), { fin: true })
    const [text, binary] = await received
    assert.deepEqual([text.data.toString(), text.isBinary], ['one two', false])
    assert.deepEqual([[...binary.data], binary.isBinary], [[1, 2, 3], true])
  })

  row('joins empty fragments', async (pair) => {
    const { subject, peer } = await pair.raw()
    const received = messages(subject, 2)
    peer.send('', { fin: false })
    peer.send('x', { opcode: OPCODE.continuation, fin: false })
    peer.send('', { opcode: OPCODE.continuation })
    peer.send('', { fin: false, opcode: OPCODE.binary })
    peer.send('', { opcode: OPCODE.continuation })
    const [text, binary] = await received
    assert.equal(text.data.toString(), 'x')
    assert.deepEqual([binary.data.length, binary.isBinary], [0, true])
  })

  row('takes control frames between fragments', async (pair) => {
    const { subject, peer } = await pair.raw()
    const events = record(subject)
    peer.send('a', { fin: false })
    peer.send('p1', { opcode: OPCODE.ping })
    peer.send('b', { opcode: OPCODE.continuation, fin: false })
    peer.send('p2', { opcode: OPCODE.pong })
    peer.send('c', { opcode: OPCODE.continuation })
    await until(() => events.length === 3, 'three events')
    assert.deepEqual(events, ['ping:p1', 'pong:p2', 'message:abc'])
  })

  row('takes a close between fragments, without the unfinished message', async (pair) => {
    const { subject, peer } = await pair.raw()
    const events = record(subject)
    peer.send('unfinished', { fin: false })
    peer.write(peer.closeFrame(1001))
    peer.answerClose()
    await closed(subject)
    assert.deepEqual(events, ['close:1001'])
  })

  row('takes frames that arrive byte by byte', async (pair) => {
    const { subject, peer } = await pair.raw()
    const received = messages(subject, 3)
    const bytes = Buffer.concat([
      peer.frame('ab', { fin: false }),
      peer.frame('cd', { opcode: OPCODE.continuation }),
      peer.frame(Buffer.alloc(130, 1), { opcode: OPCODE.binary }),
      peer.frame('end'),
    ])
    for (const byte of bytes) {
      peer.write(Buffer.from([byte]))
      await turn()
    }
    const got = await received
    assert.equal(got[0].data.toString(), 'abcd')
    assert.deepEqual(got[1].data, Buffer.alloc(130, 1))
    assert.equal(got[2].data.toString(), 'end')
  })

  row('takes a large message that arrives in pieces', async (pair) => {
    const { subject, peer } = await pair.raw()
    const received = messages(subject, 2)
    const large = Buffer.alloc(300_001, 'xyz')
    const bytes = Buffer.concat([peer.frame(large, { opcode: OPCODE.binary }), peer.frame('end')])
    for (let at = 0; at < bytes.length; at += 9973) {
      peer.write(bytes.subarray(at, at + 9973))
      await turn()
    }
    const got = await received
    assert.ok(got[0].data.equals(large))
    assert.equal(got[1].data.toString(), 'end')
  })

  row('takes many messages from one segment', async (pair) => {
    const { subject, peer } = await pair.raw()
    const received = messages(subject, 500)
    peer.write(...Array.from({ length: 500 }, (_, i) => peer.frame(String(i))))
    const got = await received
    assert.ok(got.every(({ data }, i) => data.toString() === String(i)))
  })

  row('takes length forms that are longer than need be', async (pair) => {
    const { subject, peer } = await pair.raw()
    const received = messages(subject, 2)
    peer.send('two', { lengthBytes: 2 })
    peer.send('eight', { lengthBytes: 8 })
    const got = await received
    assert.deepEqual(
      got.map(({ data }) => data.toString()),
      ['two', 'eight'],
    )
  })

  row('emits messages that came in the same segment as the handshake', async (pair) => {
    let received
    await pair.raw({
      onSubject: (socket) => {
        received = messages(socket, 3)
      },
      trailing: (framer) =>
        Buffer.concat([
          framer.frame('1'),
          framer.frame(Buffer.from('2'), { opcode: OPCODE.binary }),
          framer.frame('3'),
        ]),
    })
    const got = await received
    assert.deepEqual(
      got.map(({ data }) => data.toString()),
      ['1', '2', '3'],
    )
  })

  row('emits a message of which only a part came with the handshake', async (pair) => {
    let received
    const { peer } = await pair.raw({
      onSubject: (socket) => {
        received = message(socket)
      },
      trailing: (framer) => framer.frame('hello world').subarray(0, 9 + (framer.masks ? 4 : 0)),
    })
    // The mask of the second half belongs to the first, which is gone; an unmasked one is enough.
    if (peer.masks) return
    peer.write(peer.frame('hello world').subarray(9))
    assert.equal((await received).data.toString(), 'hello world')
  })

  row('emits a ping that came in the same segment as the handshake', async (pair) => {
    const events = []
    const { peer } = await pair.raw({
      onSubject: (socket) => socket.on('ping', (data) => events.push(String(data))),
      trailing: (framer) => framer.frame('early', { opcode: OPCODE.ping }),
    })
    const pong = await peer.nextOf(OPCODE.pong)
    assert.equal(pong.payload.toString(), 'early')
    assert.deepEqual(events, ['early'])
  })

  row('takes a close that came in the same segment as the handshake', async (pair) => {
    let end
    const { peer } = await pair.raw({
      onSubject: (socket) => {
        end = closed(socket)
      },
      trailing: (framer) =>
        Buffer.concat([framer.frame('hello'), framer.closeFrame(3001, 'early')]),
    })
    await peer.answerClose()
    assert.deepEqual(await end, { code: 3001, reason: 'early' })
  })

  row('emits messages that came in the same segment as the close', async (pair) => {
    const { subject, peer } = await pair.raw()
    const events = record(subject)
    peer.write(peer.frame('1'), peer.frame('2'), peer.closeFrame(1000))
    peer.answerClose()
    await closed(subject)
    assert.deepEqual(events, ['message:1', 'message:2', 'close:1000'])
  })

  row('emits nothing that came after the close frame', async (pair) => {
    const { subject, peer } = await pair.raw()
    const events = record(subject)
    peer.write(peer.closeFrame(1000), peer.frame('late'), peer.frame('p', { opcode: OPCODE.ping }))
    peer.answerClose()
    await closed(subject)
    assert.deepEqual(events, ['close:1000'])
  })

  row(
    'loses nothing when handlers are attached inside the connection event',
    { role: 'server' },
    async (pair) => {
      const received = []
      await pair.open({
        onSubject: (socket) => socket.on('message', (data) => received.push(String(data))),
        onPeer: (socket) =>
          socket.on('open', () => ['1', '2', '3'].forEach((word) => socket.send(word))),
      })
      await until(() => received.length === 3, 'three messages')
      assert.deepEqual(received, ['1', '2', '3'])
    },
  )

  row(
    'loses nothing when handlers are attached inside the open event',
    { role: 'client' },
    async (pair) => {
      const received = []
      await pair.raw({
        onSubject: (socket) =>
          socket.on('open', () => socket.on('message', (data) => received.push(String(data)))),
        trailing: (framer) => Buffer.concat([framer.frame('1'), framer.frame('2')]),
      })
      await until(() => received.length === 2, 'two messages')
      assert.deepEqual(received, ['1', '2'])
    },
  )
}
