'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const WebSocket = require('ws')
const { MessageChannel } = require('node:worker_threads')
const { called, closed, message, messages, until } = require('../support/watch')

const faces = {
  'through a Proxy': (socket) => new Proxy(socket, {}),
  'through an object that inherits from it': (socket) => Object.create(socket),
}

/** A socket that programs wrap, inherit from, and whose messages they pass on. */
module.exports = (row) => {
  for (const [how, wrap] of Object.entries(faces)) {
    row(`works ${how}`, async (pair) => {
      const { subject, peer } = await pair.open()
      const face = wrap(subject)
      const heir = Object.getPrototypeOf(face) === subject
      // An EventEmitter that inherits has a list of its own once a listener was removed from it.
      const emitter = heir ? subject : face
      assert.ok(face instanceof WebSocket)
      assert.deepEqual(
        [face.readyState, face.protocol, face.extensions, face.bufferedAmount, face.isPaused],
        [WebSocket.OPEN, '', '', 0, false],
      )
      assert.equal(face.url, subject.url)
      face.binaryType = 'fragments'
      assert.equal(face.binaryType, 'fragments')
      const received = message(peer)
      assert.equal((await called((cb) => face.send('out', cb))) ?? null, null)
      assert.equal(String((await received).data), 'out')
      const given = message(emitter)
      peer.send('in')
      assert.equal(String((await given).data), 'in')
      face.pause()
      assert.equal(face.isPaused, true)
      face.resume()
      assert.equal((await called((cb) => face.pong('x', undefined, cb))) ?? null, null)
      const ended = closed(emitter)
      // ws keeps its state in the object that is asked, and so is stuck when an heir is closed.
      const closing = heir && !pair.relayed ? subject : face
      closing.close(4001, 'bye')
      assert.deepEqual(await ended, { code: 4001, reason: 'bye' })
      assert.equal(subject.readyState, WebSocket.CLOSED)
    })
  }

  row('gives array buffers that can be transferred, whatever their size', async (pair) => {
    const { subject, peer } = await pair.open()
    subject.binaryType = 'arraybuffer'
    const sizes = [0, 1, 100, 4096, 40_000, 1_000_000]
    const received = messages(subject, sizes.length)
    for (const size of sizes) peer.send(Buffer.alloc(size, 'x'))
    const { port1, port2 } = new MessageChannel()
    for (const [i, { data }] of (await received).entries()) {
      assert.equal(data.byteLength, sizes[i])
      const moved = once(port2, 'message')
      port1.postMessage(data, [data])
      const [there] = await moved
      assert.equal(Buffer.from(there).equals(Buffer.alloc(sizes[i], 'x')), true)
      assert.equal(data.byteLength, 0)
    }
    port1.close()
  })

  row('stays paused when it is resumed after it was closed', async (pair) => {
    const { subject, peer } = await pair.open()
    subject.pause()
    const ended = closed(subject)
    subject.terminate()
    await ended
    subject.resume()
    assert.equal(subject.isPaused, true)
    await until(() => peer.readyState === WebSocket.CLOSED, 'the end of the peer')
  })
}
