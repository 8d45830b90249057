'use strict'

const assert = require('node:assert/strict')
const { OPCODE } = require('../support/raw-peer')
const { closed, messages, record, uncaught, until } = require('../support/watch')

/** How messages are emitted, and whose their bytes are. */
module.exports = (row) => {
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
}
