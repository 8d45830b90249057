'use strict'

const assert = require('node:assert/strict')
const { OPCODE } = require('../support/raw-peer')
const { closed, failed, message, messages, record, until } = require('../support/watch')

const INVALID = Buffer.from([0x61, 0xce, 0xba, 0xe1, 0xbd, 0xff])

/** UTF-8, and the limit of a message. */
module.exports = (row) => {
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
