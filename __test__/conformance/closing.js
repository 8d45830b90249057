'use strict'

const assert = require('node:assert/strict')
const { OPCODE } = require('../support/raw-peer')
const { closed, messages, record, turn } = require('../support/watch')

const INVALID_CODES = [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, -1, 1000.5, NaN]

/** How a socket comes to its end. */
module.exports = (row) => {
  row('closes without a code, which both ends see as 1005', async (pair) => {
    const { subject, peer } = await pair.open()
    const ends = Promise.all([closed(subject), closed(peer)])
    subject.close()
    assert.deepEqual(await ends, [
      { code: 1005, reason: '' },
      { code: 1005, reason: '' },
    ])
  })

  row('sends an empty close frame for close() without a code', async (pair) => {
    const { subject, peer } = await pair.raw()
    subject.close()
    const { opcode, payload, masked } = await peer.next()
    assert.deepEqual([opcode, payload.length, masked], [OPCODE.close, 0, pair.masks])
  })

  row('closes with a code', async (pair) => {
    const { subject, peer } = await pair.open()
    const ends = Promise.all([closed(subject), closed(peer)])
    subject.close(1000)
    assert.deepEqual(await ends, [
      { code: 1000, reason: '' },
      { code: 1000, reason: '' },
    ])
  })

  for (const code of [1001, 1011, 1014, 3000, 4999]) {
    row(`closes with the code ${code} and a reason`, async (pair) => {
      const { subject, peer } = await pair.open()
      const ends = Promise.all([closed(subject), closed(peer)])
      subject.close(code, 'grüße')
      assert.deepEqual(await ends, [
        { code, reason: 'grüße' },
        { code, reason: 'grüße' },
      ])
    })
  }

  row('closes with a Buffer and with a Uint8Array as the reason', async (pair) => {
    for (const reason of [Buffer.from('bye'), Uint8Array.from(Buffer.from('bye'))]) {
      const { subject, peer } = await pair.open()
      const end = closed(peer)
      subject.close(3001, reason)
      assert.deepEqual(await end, { code: 3001, reason: 'bye' })
    }
  })

  row('gives the reason as a Buffer', async (pair) => {
    const { subject, peer } = await pair.open()
    const end = new Promise((resolve) => subject.on('close', (...args) => resolve(args)))
    peer.close(3001, 'bye')
    const [code, reason, ...rest] = await end
    assert.equal(code, 3001)
    assert.ok(Buffer.isBuffer(reason))
    assert.equal(reason.toString(), 'bye')
    assert.deepEqual(rest, [])
  })

  row('gives an empty Buffer as the reason when there is none', async (pair) => {
    const { subject, peer } = await pair.open()
    const end = new Promise((resolve) => subject.on('close', (code, reason) => resolve(reason)))
    peer.close()
    const reason = await end
    assert.ok(Buffer.isBuffer(reason))
    assert.equal(reason.length, 0)
  })

  row('closes with a reason of 123 bytes', async (pair) => {
    const { subject, peer } = await pair.open()
    const end = closed(peer)
    subject.close(1000, 'r'.repeat(123))
    assert.deepEqual(await end, { code: 1000, reason: 'r'.repeat(123) })
  })

  row('throws for a reason of more than 123 bytes, and stays open', async (pair) => {
    const { subject } = await pair.open()
    const expected = {
      name: 'RangeError',
      message: 'The message must not be greater than 123 bytes',
    }
    assert.throws(() => subject.close(1000, 'r'.repeat(124)), expected)
    assert.throws(() => subject.close(1000, 'ä'.repeat(62)), expected)
    assert.throws(() => subject.close(1000, Buffer.alloc(124)), expected)
    assert.equal(subject.readyState, subject.OPEN)
  })

  row('throws for a code that must not be sent, and stays open', async (pair) => {
    const { subject } = await pair.open()
    const expected = {
      name: 'TypeError',
      message: 'First argument must be a valid error code number',
    }
    for (const code of INVALID_CODES.filter((code) => code !== 1000.5)) {
      assert.throws(() => subject.close(code), expected)
    }
    for (const code of ['1000', null, {}, true]) {
      assert.throws(() => subject.close(code), expected)
    }
    assert.equal(subject.readyState, subject.OPEN)
  })

  row('throws for a reason that is neither a string nor bytes', async (pair) => {
    const { subject } = await pair.open()
    assert.throws(() => subject.close(1000, { length: 3 }), TypeError)
    assert.throws(() => subject.close(1000, [1, 2, 3]), TypeError)
    assert.throws(() => subject.close(1000, new Uint16Array(2)), {
      name: 'TypeError',
      message: 'Second argument must be a string or a Uint8Array',
    })
    assert.equal(subject.readyState, subject.OPEN)
  })

  row('ignores a reason without a code', async (pair) => {
    const { subject, peer } = await pair.open()
    const end = closed(peer)
    subject.close(undefined, 'reason')
    assert.deepEqual(await end, { code: 1005, reason: '' })
  })

  row('ignores a second close()', async (pair) => {
    const { subject, peer } = await pair.open()
    const end = closed(peer)
    subject.close(3000, 'first')
    subject.close(3001, 'second')
    subject.close(5000)
    assert.deepEqual(await end, { code: 3000, reason: 'first' })
  })

  row('ignores close() and terminate() when closed', async (pair) => {
    const { subject } = await pair.open()
    const events = record(subject)
    subject.close(1000)
    await closed(subject)
    subject.close(3000)
    subject.terminate()
    await turn()
    await turn()
    assert.deepEqual(events, ['close:1000'])
    assert.equal(subject.readyState, subject.CLOSED)
  })

  row('answers the close of its peer with the same code and reason', async (pair) => {
    const { subject, peer } = await pair.raw()
    const end = closed(subject)
    peer.write(peer.closeFrame(3002, 'why'))
    const { payload, masked } = await peer.nextOf(OPCODE.close)
    assert.equal(payload.readUInt16BE(0), 3002)
    assert.equal(payload.subarray(2).toString(), 'why')
    assert.equal(masked, pair.masks)
    peer.end()
    assert.deepEqual(await end, { code: 3002, reason: 'why' })
  })

  row('answers an empty close with an empty close', async (pair) => {
    const { subject, peer } = await pair.raw()
    const end = closed(subject)
    peer.write(peer.closeFrame())
    assert.equal((await peer.nextOf(OPCODE.close)).payload.length, 0)
    peer.end()
    assert.deepEqual(await end, { code: 1005, reason: '' })
  })

  row('ends the connection once both close frames were seen', async (pair) => {
    const { subject, peer } = await pair.raw()
    subject.close(1000)
    await peer.nextOf(OPCODE.close)
    peer.write(peer.closeFrame(1000))
    assert.equal(await peer.next(), null)
    assert.ok(peer.ended)
  })

  row('takes the code of the peer when both close at the same time', async (pair) => {
    const { subject, peer } = await pair.open()
    const ends = Promise.all([closed(subject), closed(peer)])
    subject.close(3001, 'from the subject')
    peer.close(3002, 'from the peer')
    assert.deepEqual(await ends, [
      { code: 3002, reason: 'from the peer' },
      { code: 3001, reason: 'from the subject' },
    ])
  })

  row('delivers what was sent before close()', async (pair) => {
    const { subject, peer } = await pair.open()
    const events = record(peer)
    const end = closed(peer)
    subject.send('1')
    subject.send('2')
    subject.close(1000)
    await end
    assert.deepEqual(events, ['message:1', 'message:2', 'close:1000'])
  })

  row('delivers large messages that were sent before close()', async (pair) => {
    const { subject, peer } = await pair.open()
    const received = messages(peer, 8)
    const ends = Promise.all([closed(subject), closed(peer)])
    for (let i = 0; i < 8; i++) subject.send(Buffer.alloc(1 << 20, i))
    subject.close(1000)
    const got = await received
    assert.ok(got.every(({ data }, i) => data.equals(Buffer.alloc(1 << 20, i))))
    assert.deepEqual(
      (await ends).map(({ code }) => code),
      [1000, 1000],
    )
  })

  row('still emits messages between close() and the close of the peer (C36)', async (pair) => {
    const { subject, peer } = await pair.raw()
    const events = record(subject)
    const states = []
    subject.on('message', () => states.push(subject.readyState))
    subject.close(1000)
    await peer.nextOf(OPCODE.close)
    peer.write(peer.frame('1'), peer.frame('2'), peer.closeFrame(1000))
    peer.end()
    await closed(subject)
    assert.deepEqual(events, ['message:1', 'message:2', 'close:1000'])
    assert.deepEqual(states, [subject.CLOSING, subject.CLOSING])
  })

  row('can be closed inside a message handler', async (pair) => {
    const { subject, peer } = await pair.open()
    subject.on('message', (data) => subject.close(3000, data))
    const ends = Promise.all([closed(subject), closed(peer)])
    peer.send('bye')
    assert.deepEqual(await ends, [
      { code: 3000, reason: 'bye' },
      { code: 3000, reason: 'bye' },
    ])
  })

  row('can be closed inside the open event', { role: 'client' }, async (pair) => {
    let end
    await pair.open({
      onSubject: (socket) => {
        end = closed(socket)
        socket.on('open', () => socket.close(3000))
      },
    })
    assert.equal((await end).code, 3000)
  })

  row('can be closed inside the connection event', { role: 'server' }, async (pair) => {
    let end
    let other
    await pair.open({
      onSubject: (socket) => {
        end = closed(socket)
        socket.close(3000, 'not today')
      },
      onPeer: (socket) => {
        other = closed(socket)
      },
    })
    assert.equal((await end).code, 3000)
    assert.deepEqual(await other, { code: 3000, reason: 'not today' })
  })

  row('can be terminated inside a message handler', async (pair) => {
    const { subject, peer } = await pair.open()
    subject.once('message', () => subject.terminate())
    const ends = Promise.all([closed(subject), closed(peer)])
    peer.send('bye')
    assert.deepEqual(
      (await ends).map(({ code }) => code),
      [1006, 1006],
    )
  })

  row('terminates with 1006 on both ends and without an error', async (pair) => {
    const { subject, peer } = await pair.open()
    const events = [record(subject), record(peer)]
    const ends = Promise.all([closed(subject), closed(peer)])
    subject.terminate()
    assert.deepEqual(await ends, [
      { code: 1006, reason: '' },
      { code: 1006, reason: '' },
    ])
    assert.deepEqual(events, [['close:1006'], ['close:1006']])
  })

  row('emits the close of terminate() later, not at once', async (pair) => {
    const { subject } = await pair.open()
    const events = record(subject)
    const end = closed(subject)
    subject.terminate()
    assert.deepEqual(events, [])
    await end
    assert.deepEqual(events, ['close:1006'])
  })

  row('can be terminated while CLOSING', async (pair) => {
    const { subject, peer } = await pair.raw()
    const events = record(subject)
    const end = closed(subject)
    subject.close(1000)
    await peer.nextOf(OPCODE.close)
    subject.terminate()
    assert.deepEqual(await end, { code: 1006, reason: '' })
    assert.deepEqual(events, ['close:1006'])
  })
}
