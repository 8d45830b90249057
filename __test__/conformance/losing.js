'use strict'

const assert = require('node:assert/strict')
const { OPCODE } = require('../support/raw-peer')
const { called, closed, record, turn, until } = require('../support/watch')

/** What becomes of a socket whose peer or connection is lost. */
module.exports = (row) => {
  row('gives up after closeTimeout when the peer does not answer', async (pair) => {
    const { subject, peer } = await pair.raw({ subject: { closeTimeout: 60 } })
    const events = record(subject)
    const end = closed(subject)
    const start = performance.now()
    subject.close(1000)
    assert.equal((await peer.nextOf(OPCODE.close)).payload.readUInt16BE(0), 1000)
    assert.deepEqual(await end, { code: 1006, reason: '' })
    const elapsed = performance.now() - start
    assert.ok(elapsed > 40 && elapsed < 25_000, `after ${elapsed} ms`)
    assert.deepEqual(events, ['close:1006'])
  })

  row('keeps waiting for the peer while closeTimeout has not passed', async (pair) => {
    const { subject, peer } = await pair.raw()
    const end = closed(subject)
    subject.close(1000)
    await peer.nextOf(OPCODE.close)
    await new Promise((resolve) => setTimeout(resolve, 80))
    assert.equal(subject.readyState, subject.CLOSING)
    peer.write(peer.closeFrame(1000))
    peer.end()
    assert.equal((await end).code, 1000)
  })

  row('closes with 1006 and no error when the peer ends without a close frame', async (pair) => {
    const { subject, peer } = await pair.raw()
    const events = record(subject)
    const end = closed(subject)
    peer.send('last')
    peer.end()
    assert.deepEqual(await end, { code: 1006, reason: '' })
    assert.deepEqual(events, ['message:last', 'close:1006'])
  })

  row('closes with 1006 when the peer ends inside a frame', async (pair) => {
    const { subject, peer } = await pair.raw()
    const events = record(subject)
    const end = closed(subject)
    peer.write(peer.frame('whole'), peer.frame('cut in the middle').subarray(0, 12))
    peer.end()
    await end
    assert.deepEqual(events, ['message:whole', 'close:1006'])
  })

  row('closes with 1006 when the peer ends inside a fragmented message', async (pair) => {
    const { subject, peer } = await pair.raw()
    const events = record(subject)
    const end = closed(subject)
    peer.send('begun', { fin: false })
    peer.end()
    await end
    assert.deepEqual(events, ['close:1006'])
  })

  row('ends its own side when the peer ends without a close frame', async (pair) => {
    const { peer } = await pair.raw()
    peer.end()
    assert.equal(await peer.next(), null)
    assert.ok(peer.ended)
  })

  row('closes with 1006 and no error when the connection is reset (C37)', async (pair) => {
    const { subject, peer } = await pair.raw()
    const events = record(subject)
    const end = closed(subject)
    peer.reset()
    assert.deepEqual(await end, { code: 1006, reason: '' })
    assert.deepEqual(events, ['close:1006'])
  })

  row('closes with 1006 when the connection is reset while CLOSING', async (pair) => {
    const { subject, peer } = await pair.raw()
    const events = record(subject)
    const end = closed(subject)
    subject.close(1000)
    await peer.nextOf(OPCODE.close)
    peer.reset()
    assert.equal((await end).code, 1006)
    assert.deepEqual(events, ['close:1006'])
  })

  row('keeps the code of a close frame although the connection is cut after it', async (pair) => {
    const { subject, peer } = await pair.raw()
    const end = closed(subject)
    peer.write(peer.closeFrame(3003, 'done'))
    await peer.nextOf(OPCODE.close)
    peer.destroy()
    assert.deepEqual(await end, { code: 3003, reason: 'done' })
  })

  row('closes when the peer ends while a large message is being sent', async (pair) => {
    const { subject, peer } = await pair.raw()
    peer.pause()
    const sent = called((done) => subject.send(Buffer.alloc(32 << 20), done))
    const end = closed(subject)
    await turn()
    peer.destroy()
    assert.equal((await end).code, 1006)
    await sent
  })

  row('emits close once and nothing after it', async (pair) => {
    const { subject, peer } = await pair.raw()
    const events = record(subject)
    const end = closed(subject)
    peer.write(peer.closeFrame(1000), peer.frame('late'))
    peer.answerClose()
    await end
    subject.terminate()
    await turn()
    await turn()
    assert.deepEqual(events, ['close:1000'])
  })

  row('cannot send once the close frame of the peer was seen', async (pair) => {
    const { subject, peer } = await pair.raw()
    peer.write(peer.closeFrame(1000))
    await peer.nextOf(OPCODE.close)
    await until(() => subject.readyState !== subject.OPEN, 'the end of OPEN')
    const error = await called((done) => subject.send('late', done))
    assert.match(error.message, /^WebSocket is not open: readyState [23]/)
    peer.end()
    assert.equal(await peer.next(), null)
  })

  row('closes many sockets at once', async (pair) => {
    const opened = await Promise.all(Array.from({ length: 20 }, () => pair.open()))
    const ends = Promise.all(opened.flatMap(({ subject, peer }) => [closed(subject), closed(peer)]))
    opened.forEach(({ subject, peer }, i) => (i % 2 ? subject : peer).close(3000 + i))
    const codes = (await ends).map(({ code }) => code)
    assert.deepEqual(
      codes,
      opened.flatMap((_, i) => [3000 + i, 3000 + i]),
    )
  })

  for (const method of ['close', 'terminate']) {
    row(`fails when ${method}() is called while CONNECTING`, { role: 'client' }, async (pair) => {
      const server = await pair.deaf()
      const subject = pair.keep(pair.connect(server))
      const events = []
      subject.on('open', () => events.push('open'))
      subject.on('error', (error) => events.push(`${error.message} ${subject.readyState}`))
      subject.on('close', (code, reason) => events.push(`${code}${reason} ${subject.readyState}`))
      const end = closed(subject)
      subject[method]()
      assert.equal(subject.readyState, subject.CLOSING)
      assert.deepEqual(events, [])
      subject[method]()
      await end
      assert.deepEqual(events, [
        'WebSocket was closed before the connection was established 2',
        '1006 3',
      ])
    })
  }
}
