'use strict'

const assert = require('node:assert/strict')
const WebSocket = require('ws')
const { closed, failed, message, record, uncaught, until } = require('../support/watch')

const ROLE = { role: 'client' }

/** An address at which nobody listens; a port that has just been closed may be somebody else's. */
const nowhere = (scheme) => `${scheme}://127.0.0.1:1/`

/** A handshake that is answered with other lines than a 101's, and how the subject fails. */
async function answered(pair, lines, options) {
  let failure
  let events
  const { subject } = await pair.raw({
    ...options,
    lines,
    onSubject: (socket) => {
      failure = failed(socket)
      events = record(socket)
    },
  })
  const { error, code } = await failure
  return { subject, error, code, events }
}

/** How a socket that a program opens comes to be open, or not. */
module.exports = (row) => {
  row('throws a SyntaxError for an address that is none', ROLE, async (pair) => {
    assert.throws(() => pair.connect('no address'), SyntaxError)
    assert.throws(() => pair.connect(''), SyntaxError)
  })

  row('throws a SyntaxError for a scheme that is not known', ROLE, async (pair) => {
    assert.throws(() => pair.connect('ftp://localhost/'), SyntaxError)
  })

  row('throws a SyntaxError for an address with a fragment', ROLE, async (pair) => {
    assert.throws(() => pair.connect(`${pair.scheme}://localhost/#fragment`), SyntaxError)
  })

  row('throws a SyntaxError for a subprotocol that is none', ROLE, async (pair) => {
    const address = `${pair.scheme}://localhost:1/`
    const expected = {
      name: 'SyntaxError',
      message: 'An invalid or duplicated subprotocol was specified',
    }
    for (const protocols of [[''], ['a', 'a'], ['a b'], ['a,b'], [null], ['grüße']]) {
      assert.throws(() => pair.connect(address, protocols), expected)
    }
  })

  row('takes a URL object as the address', ROLE, async (pair) => {
    const address = new URL(await pair.deaf())
    const subject = pair.keep(pair.connect(address))
    subject.on('error', () => {})
    assert.equal(subject.url, address.href)
  })

  row('takes http and https addresses', ROLE, async (pair) => {
    const address = await pair.deaf()
    const subject = pair.keep(pair.connect(address.replace(/^ws/, 'http')))
    subject.on('error', () => {})
    assert.equal(subject.url, address)
  })

  row('sends the headers and the origin it is given', ROLE, async (pair) => {
    const { request } = await pair.open({
      subject: { headers: { 'X-Colour': 'blue', Cookie: 'a=b' }, origin: 'https://example.org' },
    })
    assert.equal(request.headers['x-colour'], 'blue')
    assert.equal(request.headers.cookie, 'a=b')
    assert.equal(request.headers.origin, 'https://example.org')
  })

  row('sends what every handshake needs', ROLE, async (pair) => {
    const { request } = await pair.open()
    assert.equal(request.method, 'GET')
    assert.equal(request.httpVersion, '1.1')
    assert.equal(request.headers.upgrade.toLowerCase(), 'websocket')
    assert.equal(request.headers.connection.toLowerCase(), 'upgrade')
    assert.equal(request.headers['sec-websocket-version'], '13')
    assert.match(request.headers['sec-websocket-key'], /^[+/0-9A-Za-z]{22}==$/)
    assert.match(request.headers.host, /^127\.0\.0\.1:\d+$/)
  })

  row('sends user and password of the address as Authorization', ROLE, async (pair) => {
    let given
    const original = pair.connect
    pair.connect = (address, ...rest) =>
      original.call(pair, address.replace('://', '://us%65r:p%40ss@'), ...rest)
    try {
      const { request } = await pair.open()
      given = request.headers.authorization
    } finally {
      delete pair.connect
    }
    assert.equal(given, `Basic ${Buffer.from('user:p@ss').toString('base64')}`)
  })

  row('offers its subprotocols', ROLE, async (pair) => {
    const { request } = await pair.open({ protocols: ['b', 'a'] })
    assert.deepEqual(request.headers['sec-websocket-protocol'].split(/, */), ['b', 'a'])
  })

  row('fails with 1006 when nobody listens', ROLE, async (pair) => {
    const subject = pair.keep(pair.connect(nowhere(pair.scheme)))
    const events = record(subject)
    const { error, code, reason } = await failed(subject)
    assert.ok(error instanceof Error)
    assert.deepEqual([code, reason], [1006, ''])
    assert.equal(events.length, 2)
    assert.match(events[0], /^error:/)
    assert.equal(subject.readyState, WebSocket.CLOSED)
  })

  row(
    'is CLOSING in the error event and CLOSED in the close event of a failure',
    ROLE,
    async (pair) => {
      const subject = pair.keep(pair.connect(nowhere(pair.scheme)))
      const states = []
      subject.on('error', () => states.push(subject.readyState))
      subject.on('close', () => states.push(subject.readyState))
      await closed(subject)
      assert.deepEqual(states, [WebSocket.CLOSING, WebSocket.CLOSED])
    },
  )

  row('lets a failure without an error listener reach uncaughtException', ROLE, async (pair) => {
    const address = nowhere(pair.scheme)
    const errors = await uncaught(async (collected) => {
      const subject = pair.connect(address)
      await until(() => collected.length === 1, 'the exception')
      assert.notEqual(subject.readyState, WebSocket.OPEN)
    })
    assert.ok(errors[0] instanceof Error)
  })

  row('counts what is sent after a failure as buffered', ROLE, async (pair) => {
    const subject = pair.keep(pair.connect(nowhere(pair.scheme)))
    await failed(subject)
    subject.send('hello')
    assert.equal(subject.bufferedAmount, 5)
    const error = await new Promise((resolve) => subject.send('hello', resolve))
    assert.equal(error.message, 'WebSocket is not open: readyState 3 (CLOSED)')
  })

  row('fails when the server refuses', ROLE, async (pair) => {
    for (const status of ['401 Unauthorized', '404 Not Found', '503 Service Unavailable']) {
      const lines = [`HTTP/1.1 ${status}`, 'Content-Length: 0', 'Connection: close']
      const { error, code, events } = await answered(pair, lines)
      assert.ok(error.message.includes(status.slice(0, 3)), error.message)
      assert.equal(code, 1006)
      assert.equal(events.length, 2)
    }
  })

  row('fails when the server answers 200', ROLE, async (pair) => {
    const lines = ['HTTP/1.1 200 OK', 'Content-Length: 0', 'Connection: close']
    const { error, code } = await answered(pair, lines)
    assert.ok(error instanceof Error)
    assert.equal(code, 1006)
  })

  row('fails when the server does not upgrade to websocket', ROLE, async (pair) => {
    const { error, code } = await answered(pair, [
      'HTTP/1.1 101 Switching Protocols',
      'Upgrade: something',
      'Connection: Upgrade',
      'Sec-WebSocket-Accept: CxYS6+NgJSBG74mdgLvGscRvpns=',
    ])
    assert.ok(error instanceof Error)
    assert.equal(code, 1006)
  })

  row('fails when the server answers another key', ROLE, async (pair) => {
    const { error, code } = await answered(pair, [
      'HTTP/1.1 101 Switching Protocols',
      'Upgrade: websocket',
      'Connection: Upgrade',
      'Sec-WebSocket-Accept: CxYS6+NgJSBG74mdgLvGscRvpns=',
    ])
    assert.ok(error instanceof Error)
    assert.equal(code, 1006)
  })

  row('fails when the server answers what is not HTTP', ROLE, async (pair) => {
    const { error, code } = await answered(pair, ['SSH-2.0-OpenSSH_9.2'])
    assert.ok(error instanceof Error)
    assert.equal(code, 1006)
  })

  const refusals = [
    ['a subprotocol although none was offered', [], ['Sec-WebSocket-Protocol: chat']],
    ['a subprotocol that was not offered', ['mail'], ['Sec-WebSocket-Protocol: chat']],
    ['no subprotocol although one was offered', ['mail'], []],
    ['an extension that was not offered', [], ['Sec-WebSocket-Extensions: x-nothing']],
  ]
  for (const [what, protocols, extra] of refusals) {
    row(`fails when the server answers ${what}`, ROLE, async (pair) => {
      let failure
      pair
        .raw({
          protocols: protocols.length > 0 ? protocols : undefined,
          extra,
          onSubject: (socket) => {
            failure = failed(socket)
          },
        })
        .catch(() => {})
      await until(() => failure, 'the subject')
      const { error, code } = await failure
      assert.ok(error instanceof Error)
      assert.equal(code, 1006)
    })
  }

  row('gives up after handshakeTimeout', ROLE, async (pair) => {
    const subject = pair.keep(pair.connect(await pair.deaf(), [], { handshakeTimeout: 50 }))
    const events = record(subject)
    const { error, code } = await failed(subject)
    assert.match(error.message, /time/)
    assert.equal(code, 1006)
    assert.equal(events.length, 2)
  })

  row('emits no open when it is closed while CONNECTING', ROLE, async (pair) => {
    const events = []
    const server = await pair.server()
    const subject = pair.keep(pair.connect(server.origin))
    subject.on('open', () => events.push('open'))
    subject.on('error', () => events.push('error'))
    subject.on('close', () => events.push('close'))
    subject.terminate()
    await closed(subject)
    assert.deepEqual(events, ['error', 'close'])
  })

  row('may be connected a hundred times at once', ROLE, async (pair) => {
    const opened = await Promise.all(Array.from({ length: 100 }, () => pair.open()))
    const received = opened.map(({ peer }) => message(peer))
    opened.forEach(({ subject }, i) => subject.send(String(i)))
    const got = await Promise.all(received)
    assert.ok(got.every(({ data }, i) => String(data) === String(i)))
  })
}
