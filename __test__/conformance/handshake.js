'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const WebSocket = require('ws')
const { closed, failed, record, until } = require('../support/watch')

const CLIENT = { role: 'client' }
const EARLY = 'WebSocket was closed before the connection was established'

/** A handshake that is answered with these bytes; `watch` gets the subject before it is dialled. */
async function answered(pair, lines, watch) {
  return pair.raw({ lines, onSubject: watch })
}

/** The response of `'unexpected-response'`, read to its end. */
async function refused(pair, lines) {
  let given
  let events
  const { subject } = await answered(pair, lines, (socket) => {
    events = record(socket)
    given = once(socket, 'unexpected-response')
  })
  const [request, response] = await given
  let body = ''
  for await (const chunk of response) body += chunk
  return { subject, request, response, body, events }
}

/** What a program that opens a socket learns of the answer to its handshake. */
module.exports = (row) => {
  row('gives status, headers and body of a refusal, and no error', CLIENT, async (pair) => {
    const lines = [
      'HTTP/1.1 401 Not You',
      'Content-Type: text/plain',
      'X-Twice: a',
      'X-Twice: b',
      'Set-Cookie: a=1',
      'Set-Cookie: b=2',
      'Content-Length: 11',
      'Connection: close',
      '',
      'because',
    ]
    // Two line ends are added behind the lines.
    const { subject, response, body, events } = await refused(pair, lines)
    assert.deepEqual([response.statusCode, response.statusMessage], [401, 'Not You'])
    assert.equal(response.headers['content-type'], 'text/plain')
    assert.equal(response.headers['x-twice'], 'a, b')
    assert.deepEqual(response.headers['set-cookie'], ['a=1', 'b=2'])
    assert.deepEqual(response.headersDistinct['x-twice'], ['a', 'b'])
    assert.deepEqual(response.rawHeaders.slice(0, 2), ['Content-Type', 'text/plain'])
    assert.equal(response.httpVersion, '1.1')
    assert.equal(body, 'because\r\n\r\n')
    assert.deepEqual(events, [])
    assert.equal(subject.readyState, WebSocket.CONNECTING)
  })

  row('puts the body of a refusal together from its chunks', CLIENT, async (pair) => {
    const { body, response } = await refused(pair, [
      'HTTP/1.1 503 Busy',
      'Transfer-Encoding: chunked',
      'Connection: close',
      '',
      '5',
      'later',
      '1',
      '!',
      '0',
    ])
    assert.deepEqual([body, response.complete], ['later!', true])
  })

  row('may be given up in a listener of unexpected-response', CLIENT, async (pair) => {
    for (const end of ['close', 'terminate']) {
      let failure
      await answered(pair, ['HTTP/1.1 404 No', 'Content-Length: 0'], (socket) => {
        failure = failed(socket)
        socket.on('unexpected-response', () => socket[end]())
      })
      const { error, code } = await failure
      assert.deepEqual([error.message, code], [EARLY, 1006])
    }
  })

  row('shows the headers of the answer to an upgrade listener', CLIENT, async (pair) => {
    let response
    await pair.raw({
      extra: ['X-Colour: blue'],
      onSubject: (socket) => {
        socket.on('upgrade', (given) => {
          response = given
          assert.equal(socket.readyState, WebSocket.CONNECTING)
        })
      },
    })
    assert.equal(response.headers['x-colour'], 'blue')
    assert.equal(response.headers.upgrade, 'websocket')
    assert.equal(response.statusMessage, 'Switching Protocols')
  })

  row('may be given up in a listener of upgrade', CLIENT, async (pair) => {
    for (const end of ['close', 'terminate']) {
      const server = await pair.server()
      const subject = pair.keep(pair.connect(server.address(pair.number())))
      const events = []
      subject.on('open', () => events.push('open'))
      subject.on('message', () => events.push('message'))
      subject.on('error', ({ message }) => events.push(message))
      subject.on('upgrade', () => subject[end]())
      await closed(subject)
      assert.deepEqual(events, [EARLY])
    }
  })

  row('begins the message of a time-out as ws does', CLIENT, async (pair) => {
    const subject = pair.keep(pair.connect(await pair.deaf(), [], { handshakeTimeout: 50 }))
    assert.match((await failed(subject)).error.message, /^Opening handshake has timed out/)
  })

  row('opens also when the answer names more connection options', CLIENT, async (pair) => {
    for (const connection of [
      'keep-alive, Upgrade',
      'upgrade,Keep-Alive',
      'close\r\nConnection: Upgrade',
    ]) {
      let response
      const { subject } = await pair.raw({
        connection,
        onSubject: (socket) => socket.on('upgrade', (given) => (response = given)),
      })
      await until(() => subject.readyState === WebSocket.OPEN, 'open')
      assert.equal(response.headers.connection, connection.replace('\r\nConnection:', ','))
    }
  })

  row('says by its message which answer is not that of a WebSocket', CLIENT, async (pair) => {
    const key = 'Sec-WebSocket-Accept: CxYS6+NgJSBG74mdgLvGscRvpns='
    const start = ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade']
    const answers = [
      ['Invalid Upgrade header', [...start, 'Upgrade: foo', key]],
      ['Invalid Sec-WebSocket-Accept header', [...start, 'Upgrade: websocket', key]],
    ]
    for (const [message, lines] of answers) {
      let failure
      await answered(pair, lines, (socket) => {
        failure = failed(socket)
      })
      assert.equal((await failure).error.message, message)
    }
  })

  row('fails when the peer leaves instead of answering', CLIENT, async (pair) => {
    let failure
    const { peer } = await answered(pair, ['HTTP/1.1 101 Switching'], (socket) => {
      failure = failed(socket)
    })
    peer.destroy()
    await until(() => failure, 'the subject')
    assert.equal((await failure).code, 1006)
  })
}
