'use strict'

const assert = require('node:assert/strict')
const { OPCODE } = require('../support/raw-peer')
const {
  closed,
  failed,
  message,
  messages,
  record,
  turn,
  uncaught,
  until,
} = require('../support/watch')

const INVALID = Buffer.from([0x61, 0xce, 0xba, 0xe1, 0xbd, 0xff])

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

  row('drops messages while nobody listens', async (pair) => {
    const { subject, peer } = await pair.open()
    peer.send('unheard')
    const received = []
    subject.once('message', () => {
      subject.on('message', (data) => received.push(String(data)))
    })
    peer.send('a')
    peer.send('b')
    await until(() => received.includes('b'), 'the last message')
    assert.deepEqual(received, ['a', 'b'])
  })

  row('gives every message bytes of its own', async (pair) => {
    const { subject, peer } = await pair.open()
    const received = messages(subject, 3)
    peer.send(Buffer.from('aaa'))
    peer.send(Buffer.from('bbb'))
    peer.send(Buffer.from('ccc'))
    const [first, second, third] = (await received).map(({ data }) => data)
    second.fill(0)
    assert.deepEqual([String(first), String(third)], ['aaa', 'ccc'])
  })

  row('keeps a message as it is while later ones arrive', async (pair) => {
    const { subject, peer } = await pair.open()
    const received = messages(subject, 400)
    for (let i = 0; i < 400; i++) peer.send(Buffer.alloc(2000 + i, i & 0xff))
    const got = await received
    got.forEach(({ data }, i) =>
      assert.ok(data.equals(Buffer.alloc(2000 + i, i & 0xff)), `message ${i}`),
    )
  })

  row('emits one message per turn with allowSynchronousEvents: false', async (pair) => {
    const { subject, peer } = await pair.raw({ subject: { allowSynchronousEvents: false } })
    const order = []
    subject.on('message', (data) => {
      order.push(String(data))
      queueMicrotask(() => order.push(`after ${data}`))
    })
    peer.write(peer.frame('1'), peer.frame('2'), peer.frame('3'))
    await until(() => order.length === 6, 'three messages')
    assert.deepEqual(order, ['1', 'after 1', '2', 'after 2', '3', 'after 3'])
  })

  row('keeps the order of events with allowSynchronousEvents: false', async (pair) => {
    const { subject, peer } = await pair.raw({ subject: { allowSynchronousEvents: false } })
    const events = record(subject)
    peer.write(
      peer.frame('1'),
      peer.frame('2', { opcode: OPCODE.ping }),
      peer.frame('3'),
      peer.frame('4', { opcode: OPCODE.pong }),
      peer.closeFrame(1000),
    )
    peer.answerClose()
    await closed(subject)
    assert.deepEqual(events, ['message:1', 'ping:2', 'message:3', 'pong:4', 'close:1000'])
  })

  row('lets an exception of a message listener reach uncaughtException', async (pair) => {
    const { subject, peer } = await pair.open()
    const errors = await uncaught(async (collected) => {
      subject.once('message', () => {
        throw new Error('thrown by a listener')
      })
      peer.send('1')
      await until(() => collected.length === 1, 'the exception')
    })
    assert.deepEqual(
      errors.map((error) => error.message),
      ['thrown by a listener'],
    )
    if (!pair.relayed) pair.forget(subject)
  })

  row('loses nothing after an exception of a listener', { relayed: true }, async (pair) => {
    const { subject, peer } = await pair.raw()
    const events = record(subject)
    const errors = await uncaught(async () => {
      for (const name of ['message', 'ping', 'pong']) {
        subject.on(name, (data) => {
          throw new Error(`thrown for ${data}`)
        })
      }
      peer.write(
        peer.frame('1'),
        peer.frame('2', { opcode: OPCODE.ping }),
        peer.frame('3', { opcode: OPCODE.pong }),
        peer.frame('4'),
      )
      peer.write(peer.closeFrame(1000))
      peer.answerClose()
      await closed(subject)
    })
    assert.deepEqual(events, ['message:1', 'ping:2', 'pong:3', 'message:4', 'close:1000'])
    const thrown = ['thrown for 1', 'thrown for 2', 'thrown for 3', 'thrown for 4']
    assert.deepEqual(
      errors.map((error) => error.message),
      thrown,
    )
  })

  row('lets an exception of a close listener reach uncaughtException', async (pair) => {
    const { subject, peer } = await pair.open()
    const errors = await uncaught(async (collected) => {
      subject.on('close', () => {
        throw new Error('thrown by a listener')
      })
      peer.close()
      await until(() => collected.length === 1, 'the exception')
    })
    assert.deepEqual(
      errors.map((error) => error.message),
      ['thrown by a listener'],
    )
    assert.equal(subject.readyState, subject.CLOSED)
  })

  row('accepts UTF-8 that is cut between fragments', async (pair) => {
    const { subject, peer } = await pair.raw()
    const received = message(subject)
    const bytes = Buffer.from('κόσμε🌍')
    peer.send(bytes.subarray(0, 3), { fin: false })
    peer.send(bytes.subarray(3, 12), { opcode: OPCODE.continuation, fin: false })
    peer.send(bytes.subarray(12), { opcode: OPCODE.continuation })
    assert.equal((await received).data.toString(), 'κόσμε🌍')
  })

  row('delivers invalid UTF-8 with skipUTF8Validation', async (pair) => {
    const { subject, peer } = await pair.raw({ subject: { skipUTF8Validation: true } })
    const received = message(subject)
    peer.send(INVALID)
    assert.deepEqual((await received).data, INVALID)
  })

  row('accepts invalid UTF-8 in a close reason with skipUTF8Validation', async (pair) => {
    const { subject, peer } = await pair.raw({ subject: { skipUTF8Validation: true } })
    const end = closed(subject)
    peer.write(peer.closeFrame(1000, INVALID))
    peer.answerClose()
    assert.equal((await end).code, 1000)
  })

  row('accepts a message of exactly maxPayload', async (pair) => {
    const { subject, peer } = await pair.open({ subject: { maxPayload: 1000 } })
    const received = message(subject)
    peer.send(Buffer.alloc(1000))
    assert.equal((await received).data.length, 1000)
  })

  row('counts maxPayload for every message anew', async (pair) => {
    const { subject, peer } = await pair.open({ subject: { maxPayload: 1000 } })
    const received = messages(subject, 5)
    for (let i = 0; i < 5; i++) peer.send(Buffer.alloc(900))
    assert.equal((await received).length, 5)
  })

  row('does not count control frames for maxPayload', async (pair) => {
    const { subject, peer } = await pair.raw({ subject: { maxPayload: 10 } })
    const events = record(subject)
    peer.send('12345', { fin: false })
    peer.send('p'.repeat(50), { opcode: OPCODE.ping })
    peer.send('67890', { opcode: OPCODE.continuation })
    await until(() => events.length === 2, 'two events')
    assert.equal(events[1], 'message:1234567890')
  })

  row('has no limit with maxPayload: 0', async (pair) => {
    const { subject, peer } = await pair.open({ subject: { maxPayload: 0 } })
    const received = message(subject)
    peer.send(Buffer.alloc(2_000_000))
    assert.equal((await received).data.length, 2_000_000)
  })

  row('closes with 1009 for a message larger than maxPayload', async (pair) => {
    const { subject, peer } = await pair.open({ subject: { maxPayload: 1000 } })
    const events = record(subject)
    const failure = failed(subject)
    const other = closed(peer)
    peer.send(Buffer.alloc(1001))
    const { error, code } = await failure
    assert.ok(error instanceof RangeError)
    assert.equal(error.code, 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH')
    assert.equal(error.message, 'Max payload size exceeded')
    assert.equal(code, 1006)
    assert.deepEqual(await other, { code: 1009, reason: '' })
    assert.deepEqual(events, ['error:WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', 'close:1006'])
  })
}
