'use strict'

const assert = require('node:assert/strict')
const { OPCODE } = require('../support/raw-peer')
const { closed, failed, record, until, uncaught } = require('../support/watch')

const INVALID = Buffer.from([0xce, 0xba, 0xe1, 0xbd, 0xb9, 0xcf, 0x83, 0xed, 0xa0, 0x80])
const RSV_2_3 = 'WS_ERR_UNEXPECTED_RSV_2_3'
const RSV_1 = 'WS_ERR_UNEXPECTED_RSV_1'
const BAD_OPCODE = 'WS_ERR_INVALID_OPCODE'
const BAD_LENGTH = 'WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH'
const TOO_LONG = 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'
const TOO_MANY = 'WS_ERR_TOO_MANY_BUFFERED_PARTS'
const PREFIX = 'Invalid WebSocket frame: '

/**
 * What a peer does wrong: how it is called, the bytes, the code of the error, its message and the
 * code of the close frame that answers.
 */
const VIOLATIONS = [
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) => [
    `the unknown opcode ${opcode}`,
    (peer) => peer.frame('x', { opcode }),
    BAD_OPCODE,
    `${PREFIX}invalid opcode ${opcode}`,
    1002,
  ]),
  [
    'a continuation without a beginning',
    (peer) => peer.frame('x', { opcode: OPCODE.continuation }),
    BAD_OPCODE,
    `${PREFIX}invalid opcode 0`,
    1002,
  ],
  [
    'a continuation after a finished message',
    (peer) =>
      Buffer.concat([
        peer.frame('a', { fin: false }),
        peer.frame('b', { opcode: OPCODE.continuation }),
        peer.frame('c', { opcode: OPCODE.continuation }),
      ]),
    BAD_OPCODE,
    `${PREFIX}invalid opcode 0`,
    1002,
  ],
  [
    'text inside an unfinished message',
    (peer) => Buffer.concat([peer.frame('a', { fin: false }), peer.frame('b')]),
    BAD_OPCODE,
    `${PREFIX}invalid opcode 1`,
    1002,
  ],
  [
    'binary inside an unfinished message',
    (peer) =>
      Buffer.concat([peer.frame('a', { fin: false }), peer.frame('b', { opcode: OPCODE.binary })]),
    BAD_OPCODE,
    `${PREFIX}invalid opcode 2`,
    1002,
  ],
  [
    'RSV1 set',
    (peer) => peer.frame('x', { rsv: 0x40 }),
    RSV_1,
    `${PREFIX}RSV1 must be clear`,
    1002,
  ],
  ...[0x20, 0x10, 0x30].map((rsv) => [
    `the reserved bits 0x${rsv.toString(16)} set`,
    (peer) => peer.frame('x', { rsv }),
    RSV_2_3,
    `${PREFIX}RSV2 and RSV3 must be clear`,
    1002,
  ]),
  [
    'RSV1 set in a continuation',
    (peer) =>
      Buffer.concat([
        peer.frame('a', { fin: false }),
        peer.frame('b', { opcode: OPCODE.continuation, rsv: 0x40 }),
      ]),
    RSV_1,
    `${PREFIX}RSV1 must be clear`,
    1002,
  ],
  [
    'RSV1 set in a ping',
    (peer) => peer.frame('x', { opcode: OPCODE.ping, rsv: 0x40 }),
    RSV_1,
    `${PREFIX}RSV1 must be clear`,
    1002,
  ],
  [
    'a ping in fragments',
    (peer) => peer.frame('x', { opcode: OPCODE.ping, fin: false }),
    'WS_ERR_EXPECTED_FIN',
    `${PREFIX}FIN must be set`,
    1002,
  ],
  [
    'a close in fragments',
    (peer) => peer.frame('', { opcode: OPCODE.close, fin: false }),
    'WS_ERR_EXPECTED_FIN',
    `${PREFIX}FIN must be set`,
    1002,
  ],
  [
    'a ping of 126 bytes',
    (peer) => peer.frame(Buffer.alloc(126), { opcode: OPCODE.ping }),
    BAD_LENGTH,
    `${PREFIX}invalid payload length 126`,
    1002,
  ],
  [
    'a pong with a long length form',
    (peer) => peer.frame('x', { opcode: OPCODE.pong, lengthBytes: 8 }),
    BAD_LENGTH,
    `${PREFIX}invalid payload length 127`,
    1002,
  ],
  [
    'a close with half a code',
    (peer) => peer.frame('x', { opcode: OPCODE.close }),
    BAD_LENGTH,
    `${PREFIX}invalid payload length 1`,
    1002,
  ],
  ...[0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535].map((code) => [
    `a close with the code ${code}`,
    (peer) => peer.closeFrame(code, 'x'),
    'WS_ERR_INVALID_CLOSE_CODE',
    `${PREFIX}invalid status code ${code}`,
    1002,
  ]),
  [
    'invalid UTF-8 in text',
    (peer) => peer.frame(INVALID),
    'WS_ERR_INVALID_UTF8',
    `${PREFIX}invalid UTF-8 sequence`,
    1007,
  ],
  [
    'text that ends inside a character',
    (peer) => peer.frame(Buffer.from('aé').subarray(0, 2)),
    'WS_ERR_INVALID_UTF8',
    `${PREFIX}invalid UTF-8 sequence`,
    1007,
  ],
  [
    'invalid UTF-8 in the second fragment',
    (peer) =>
      Buffer.concat([
        peer.frame('fine', { fin: false }),
        peer.frame(INVALID, { opcode: OPCODE.continuation }),
      ]),
    'WS_ERR_INVALID_UTF8',
    `${PREFIX}invalid UTF-8 sequence`,
    1007,
  ],
  [
    'invalid UTF-8 in a close reason',
    (peer) => peer.closeFrame(1000, INVALID),
    'WS_ERR_INVALID_UTF8',
    `${PREFIX}invalid UTF-8 sequence`,
    1007,
  ],
  [
    'a length of more than 2^53 - 1',
    (peer) => peer.frame('', { opcode: OPCODE.binary, announced: 1n << 53n }),
    'WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH',
    'Unsupported WebSocket frame: payload length > 2^53 - 1',
    1009,
  ],
  [
    'a frame longer than maxPayload, before its payload came',
    (peer) => peer.frame('', { opcode: OPCODE.binary, announced: 20_001 }).subarray(0, 4),
    TOO_LONG,
    'Max payload size exceeded',
    1009,
    { maxPayload: 20_000 },
  ],
  [
    'fragments that together are longer than maxPayload',
    (peer) =>
      Buffer.concat([
        peer.frame(Buffer.alloc(15_000), { opcode: OPCODE.binary, fin: false }),
        peer.frame(Buffer.alloc(5_001), { opcode: OPCODE.continuation }),
      ]),
    TOO_LONG,
    'Max payload size exceeded',
    1009,
    { maxPayload: 20_000 },
  ],
  [
    'a frame of more than the default maxPayload of 100 MiB',
    (peer) => peer.frame('', { opcode: OPCODE.binary, announced: (100 << 20) + 1 }),
    TOO_LONG,
    'Max payload size exceeded',
    1009,
  ],
  [
    'more fragments than maxFragments',
    (peer) =>
      Buffer.concat([
        peer.frame('a', { fin: false }),
        peer.frame('b', { opcode: OPCODE.continuation, fin: false }),
        peer.frame('c', { opcode: OPCODE.continuation, fin: false }),
        peer.frame('d', { opcode: OPCODE.continuation }),
      ]),
    TOO_MANY,
    'Too many message fragments',
    1008,
    { maxFragments: 3 },
  ],
]

/** What a subject does about a peer that breaks the protocol. */
module.exports = (row) => {
  for (const [what, bytes, code, message, closeCode, subjectOptions] of VIOLATIONS) {
    row(`fails with ${code} and closes with ${closeCode} for ${what}`, async (pair) => {
      const { subject, peer } = await pair.raw({ subject: subjectOptions })
      const events = record(subject)
      const failure = failed(subject)
      peer.write(peer.frame('before'), bytes(peer))
      const received = await peer.answerClose()
      const { error, code: seen, reason } = await failure
      assert.equal(error.code, code)
      assert.equal(error.message, message)
      assert.equal(error instanceof RangeError, code !== 'WS_ERR_INVALID_UTF8')
      assert.deepEqual([received.code, received.reason], [closeCode, ''])
      assert.deepEqual([seen, reason], [1006, ''])
      const first = events.find((event) => event.startsWith('message:'))
      assert.equal(first, 'message:before')
      assert.deepEqual(events.slice(-2), [`error:${code}`, 'close:1006'])
    })
  }

  row("fails with ws's code for a frame that is masked the wrong way", async (pair) => {
    const { subject, peer } = await pair.raw()
    const failure = failed(subject)
    peer.send('x', { masked: !peer.masks })
    const { code } = await peer.answerClose()
    const { error } = await failure
    const [name, what] = peer.masks
      ? ['WS_ERR_EXPECTED_MASK', 'MASK must be set']
      : ['WS_ERR_UNEXPECTED_MASK', 'MASK must be clear']
    assert.equal(error.code, name)
    assert.equal(error.message, `${PREFIX}${what}`)
    assert.equal(code, 1002)
  })

  for (const code of [
    1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999,
  ]) {
    row(`accepts a close with the code ${code}`, async (pair) => {
      const { subject, peer } = await pair.raw()
      const end = closed(subject)
      peer.write(peer.closeFrame(code, 'why'))
      await peer.answerClose()
      assert.deepEqual(await end, { code, reason: 'why' })
    })
  }

  row('accepts as many fragments as maxFragments', async (pair) => {
    const { subject, peer } = await pair.raw({ subject: { maxFragments: 3 } })
    const events = record(subject)
    for (let i = 0; i < 2; i++) {
      peer.send('a', { fin: false })
      peer.send('b', { opcode: OPCODE.continuation, fin: false })
      peer.send('c', { opcode: OPCODE.continuation })
    }
    await until(() => events.length === 2, 'two messages')
    assert.deepEqual(events, ['message:abc', 'message:abc'])
  })

  row('is CLOSING in the error event of a violation', async (pair) => {
    const { subject, peer } = await pair.raw()
    let state
    subject.on('error', () => {
      state = subject.readyState
    })
    const end = closed(subject)
    peer.send('x', { opcode: 5 })
    peer.answerClose()
    await end
    assert.equal(state, subject.CLOSING)
  })

  row('emits nothing that came after a violation', async (pair) => {
    const { subject, peer } = await pair.raw()
    const events = record(subject)
    peer.write(peer.frame('1'), peer.frame('x', { opcode: 3 }), peer.frame('2'))
    peer.send('3')
    peer.answerClose()
    await closed(subject)
    assert.deepEqual(events, ['message:1', `error:${BAD_OPCODE}`, 'close:1006'])
  })

  row('reports one violation only', async (pair) => {
    const { subject, peer } = await pair.raw()
    const events = record(subject)
    peer.write(peer.frame('x', { opcode: 3 }), peer.frame('y', { opcode: 4 }))
    peer.send('z', { opcode: 5 })
    peer.answerClose()
    await closed(subject)
    assert.deepEqual(events, [`error:${BAD_OPCODE}`, 'close:1006'])
  })

  row('ends by itself when the peer does not answer after a violation', async (pair) => {
    const { subject, peer } = await pair.raw({ subject: { closeTimeout: 100 } })
    const failure = failed(subject)
    peer.send('x', { opcode: 3 })
    assert.equal((await failure).code, 1006)
  })

  row('lets a violation without an error listener reach uncaughtException', async (pair) => {
    const { subject, peer } = await pair.raw()
    const end = closed(subject)
    const errors = await uncaught(async () => {
      peer.send('x', { opcode: 3 })
      peer.answerClose()
      await end
    })
    assert.deepEqual(
      errors.map((error) => error.code),
      [BAD_OPCODE],
    )
  })
}
