'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const http = require('node:http')
const { describe, it } = require('node:test')
const WebSocket = require('ws')

const hyco = require('..')
const Listener = require('../lib/hub/listener')
const anonymousRelay = require('./support/anonymous')
const { closed, message, uncaught, until } = require('./support/watch')

const TIMEOUT = { timeout: 300_000 }

const { answer, connect, serving } = anonymousRelay()

describe('a sender for whom there is no connection left', TIMEOUT, () => {
  it("is refused with 503, told as 'acceptError', and is not left pending", async (context) => {
    const full = new Error('this thread has 2097151 connections already')
    await serving({}, async (server) => {
      const { mock } = context.mock.method(Listener.prototype, 'accept', () => {
        throw full
      })
      const [[error, request], refused] = await Promise.all([
        once(server, 'acceptError'),
        answer('hyco?of=two'),
      ])
      assert.equal(error, full)
      assert.equal(request.url, '/hyco?of=two')
      assert.deepEqual(refused, { status: 503, reason: 'The listener is busy' })
      assert.deepEqual([server.metrics().pending, server.metrics().failed], [0, 1])
      mock.restore()
      assert.deepEqual(await answer(), { status: 101, protocol: '' })
    })
  })
})

describe('a connection', TIMEOUT, () => {
  it('is given open, with nothing lost, and its open event comes after', async () => {
    await serving({}, async (server) => {
      const order = []
      const told = new Promise((resolve) => {
        server.once('connection', (socket) => {
          order.push(`connection ${socket.readyState === hyco.OPEN}`)
          socket.send('welcome')
          socket.on('open', () => order.push('open'))
          socket.on('message', (data) => {
            order.push(String(data))
            resolve()
          })
        })
      })
      const sender = connect()
      const welcome = message(sender)
      await once(sender, 'open')
      sender.send('first')
      assert.equal(String((await welcome).data), 'welcome')
      await told
      assert.deepEqual(order, ['connection true', 'open', 'first'])
    })
  })

  it('of a sender that offers nothing has no subprotocol, whatever its headers say', async () => {
    await serving({}, async (server) => {
      const sender = connect('hyco', [], { 'X-Test': 'Sec-WebSocket-Protocol' })
      const [socket, request] = await once(server, 'connection')
      assert.equal(request.headers['sec-websocket-protocol'], undefined)
      assert.equal(request.headers['x-test'], 'Sec-WebSocket-Protocol')
      assert.equal(socket.protocol, '')
      sender.terminate()
    })
  })

  it('comes with the request of its sender (C34)', async () => {
    await serving({}, async (server) => {
      const path = 'hyco/rooms/1?a=1&sb-hc-other=x&a=2'
      const sender = connect(path, ['chat'], { 'X-Test': 'yes', Cookie: 'a=b' })
      const [socket, request] = await once(server, 'connection')
      assert.ok(request instanceof http.IncomingMessage)
      assert.equal(request.method, 'GET')
      assert.equal(request.url, '/hyco/rooms/1?a=1&a=2')
      assert.equal(request.httpVersion, '1.1')
      assert.equal(request.headers['x-test'], 'yes')
      assert.equal(request.headers.cookie, 'a=b')
      assert.equal(request.headers['sec-websocket-protocol'], 'chat')
      assert.ok(request.rawHeaders.includes('X-Test'))
      assert.deepEqual(request.headersDistinct['x-test'], ['yes'])
      assert.equal(request.socket.remoteAddress, '127.0.0.1')
      assert.equal(
        request.socket.remotePort,
        sender._socket?.localPort ?? request.socket.remotePort,
      )
      assert.equal(request.socket.remoteFamily, 'IPv4')
      assert.equal(request.socket.encrypted, false)
      assert.equal(request.connection, request.socket)
      assert.equal(request.complete, true)
      assert.match(socket.url, new RegExp(`sb-hc-id=${request.trackingId}`))
      for await (const chunk of request) assert.fail(`a body: ${chunk}`)
    })
  })

  it('is an instance of every class it should be', async () => {
    await serving({}, async (server) => {
      connect()
      const [socket] = await once(server, 'connection')
      assert.ok(socket instanceof hyco.RelayedSocket)
      assert.ok(socket instanceof hyco)
      assert.ok(socket instanceof WebSocket)
    })
  })

  it('is among the clients, as an array and as a set, until it closes', async () => {
    await serving({}, async (server) => {
      const [first] = await Promise.all([once(server, 'connection'), once(connect(), 'open')])
      const sender = connect()
      const [socket] = await once(server, 'connection')
      const { clients } = server
      assert.ok(Array.isArray(clients))
      assert.deepEqual([clients.length, clients.size], [2, 2])
      assert.equal(clients[1], socket)
      assert.equal(clients.indexOf(socket), 1)
      assert.ok(clients.has(socket) && clients.includes(socket))
      assert.deepEqual([...clients], [first[0], socket])
      const seen = []
      clients.forEach((client, key, all) => seen.push(client === key && all === clients))
      assert.deepEqual(seen, [true, true])
      const gone = closed(socket)
      sender.close()
      await gone
      assert.deepEqual([clients.size, clients.has(socket), clients.indexOf(socket)], [1, false, -1])
    })
  })

  it('is not among the clients without tracking', async () => {
    await serving({ clientTracking: false }, async (server) => {
      const sender = connect()
      await once(server, 'connection')
      assert.equal(server.clients.length, 0)
      assert.equal(server.metrics().active, 1)
      sender.terminate()
    })
  })

  it('whose listener throws is open all the same, and the exception surfaces', async () => {
    await serving({}, async (server) => {
      server.once('connection', () => {
        throw new Error('thrown in connection')
      })
      const errors = await uncaught(async (caught) => {
        await once(connect(), 'open')
        await until(() => caught.length > 0, 'the exception surfaces')
      })
      assert.deepEqual(errors.map(String), ['Error: thrown in connection'])
      assert.equal(server.clients.length, 1)
    })
  })
})

describe('verifyClient', TIMEOUT, () => {
  const asks = (verifyClient, expected) =>
    serving({ verifyClient }, async () => assert.deepEqual(await answer(), expected))
  const open = { status: 101, protocol: '' }

  it('decides at once', async () => {
    await asks(() => true, open)
    await asks(() => false, { status: 401, reason: 'Unauthorized' })
  })

  it('decides by a promise', async () => {
    await asks(async () => true, open)
    await asks(async () => false, { status: 401, reason: 'Unauthorized' })
  })

  it('decides by a callback, now or later', async () => {
    await asks((info, decide) => decide(true), open)
    await asks((info, decide) => setImmediate(decide, true), open)
    await asks((info, decide) => decide(false), { status: 401, reason: 'Unauthorized' })
  })

  it('decides the status and the reason that the sender sees (C31)', async () => {
    await asks((info, decide) => decide(false, 403), { status: 403, reason: 'Forbidden' })
    await asks((info, decide) => setImmediate(decide, false, 456, 'Not today', { a: 'b' }), {
      status: 456,
      reason: 'Not today',
    })
    await asks((info, decide) => decide(false, 5), { status: 401, reason: 'Unauthorized' })
  })

  it('counts once, however often it calls back', async () => {
    await asks(
      (info, decide) => {
        decide(false, 418, 'first')
        decide(true)
      },
      { status: 418, reason: 'first' },
    )
  })

  it('cannot put a line break into the answer (C33)', async () => {
    await serving(
      { verifyClient: (info, decide) => decide(false, 403, 'a\r\nX: y\u00e9') },
      async () => {
        const { status, reason } = await answer()
        assert.equal(status, 403)
        assert.doesNotMatch(reason, /[^\x20-\x7e]/)
      },
    )
  })

  it('is told origin, encryption and request', async () => {
    let info
    const verifyClient = (given) => {
      info = given
      return true
    }
    await serving({ verifyClient }, async () => {
      await answer('hyco/x', [], { Origin: 'https://example.com' })
      assert.equal(info.origin, 'https://example.com')
      assert.equal(info.secure, false)
      assert.equal(info.req.url, '/hyco/x')
    })
  })

  it('that throws refuses the sender with 502, and the exception surfaces (C32)', async () => {
    const thrown = new Error('thrown in verifyClient')
    const throwing = [
      () => {
        throw thrown
      },
      async () => {
        throw thrown
      },
      (info, decide) => {
        throw thrown
      },
    ]
    for (const verifyClient of throwing) {
      await serving({ verifyClient }, async (server) => {
        const reported = once(server, 'acceptError')
        const errors = await uncaught(async () => {
          assert.equal((await answer()).status, 502)
        })
        assert.deepEqual(errors, [thrown])
        const [error, request] = await reported
        assert.equal(error.code, 'HYCO_ERR_HANDLER')
        assert.equal(
          error.message,
          'verifyClient threw, so the sender was refused with 502: thrown in verifyClient',
        )
        assert.equal(error.cause, thrown)
        assert.equal(request.url, '/hyco')
      })
    }
  })

  it('does not hold up other senders while it decides (C26)', async () => {
    const verifyClient = ({ req }, decide) => {
      if (req.url === '/hyco/fast') decide(true)
    }
    await serving({ verifyClient }, async () => {
      const slow = connect('hyco/slow')
      assert.deepEqual(await answer('hyco/fast'), open)
      slow.terminate()
    })
  })
})

describe('the subprotocol', TIMEOUT, () => {
  const chosen = (options, protocols, expected) =>
    serving(options, async () => assert.deepEqual(await answer('hyco', protocols), expected))
  const open = (protocol) => ({ status: 101, protocol })
  const choosing = (handleProtocols, expected, protocols = ['a', 'b']) =>
    chosen({ handleProtocols }, protocols, expected)

  it('is the first offered, unless somebody chooses (C30)', async () => {
    await chosen({}, ['a', 'b'], open('a'))
    await chosen({}, [], open(''))
  })

  it('is chosen in the form of ws 8', async () => {
    await choosing((protocols) => (protocols.has('b') ? 'b' : false), open('b'))
    await choosing((protocols) => [...protocols][protocols.size - 1], open('b'))
    await choosing(
      (protocols, request) => request.headers['sec-websocket-protocol'].slice(-1),
      open('b'),
    )
    await choosing(
      (protocols, request) => (request instanceof http.IncomingMessage ? 'b' : ''),
      open('b'),
    )
  })

  it('may be none in the form of ws 8; its sender then fails by itself', async () => {
    for (const none of [false, null, '', undefined]) {
      await serving({ handleProtocols: (protocols) => none }, async (server) => {
        const sender = connect('hyco', ['a'])
        const [socket] = await once(server, 'connection')
        assert.equal(socket.protocol, '')
        sender.terminate()
      })
    }
  })

  it('is chosen in the form of hyco-ws, now or later', async () => {
    await choosing((list, callback) => callback(true, list[1]), open('b'))
    await choosing(
      (list, callback) => void setImmediate(callback, true, list[list.indexOf('b')]),
      open('b'),
    )
    await choosing((list, callback) => callback.call(null, true, 'b'), open('b'))
  })

  it('is refused in the form of hyco-ws with 401', async () => {
    const refused = { status: 401, reason: 'Unauthorized' }
    await choosing((list, callback) => callback(false), refused)
    await choosing((list, callback) => void setImmediate(callback, false, 'a'), refused)
    await choosing((list, callback) => callback(false), refused, [])
  })

  it('is chosen by a promise, or by the callback of an async function', async () => {
    await choosing(async () => 'b', open('b'))
    await choosing(async (list, callback) => callback(true, 'b'), open('b'))
  })

  // It bounds the refusal as well, which a busy machine must manage to make.
  it('that nobody chooses in time refuses the sender with 501', async () => {
    const handleProtocols = (list, callback) => undefined
    await serving({ handleProtocols, acceptTimeout: 2_000 }, async (server) => {
      const reported = once(server, 'acceptError')
      assert.deepEqual(await answer('hyco', ['a']), {
        status: 501,
        reason: 'Could not process protocols',
      })
      const [error] = await reported
      assert.equal(error.code, 'HYCO_ERR_HANDLER')
      assert.match(error.message, /^handleProtocols did not decide within 2000 ms, so .* with 501$/)
    })
  })

  it('that was not offered is never answered (C30)', async () => {
    await serving({ handleProtocols: () => 'c' }, async (server) => {
      const reported = once(server, 'acceptError')
      assert.equal((await answer('hyco', ['a'])).status, 502)
      assert.equal((await reported)[0].code, 'HYCO_ERR_INVALID_PROTOCOL')
    })
    await choosing(() => 'c', open(''), [])
  })

  it('of a handler that throws is a 502, and the exception surfaces', async () => {
    const handleProtocols = () => {
      throw new Error('thrown in handleProtocols')
    }
    await serving({ handleProtocols }, async () => {
      const errors = await uncaught(async () => {
        assert.equal((await answer('hyco', ['a'])).status, 502)
      })
      assert.deepEqual(errors.map(String), ['Error: thrown in handleProtocols'])
    })
  })
})

describe('metrics', TIMEOUT, () => {
  it('count what became of the senders', async () => {
    const verifyClient = ({ req }) => req.url !== '/hyco/no'
    await serving({ verifyClient }, async (server) => {
      await answer('hyco/no')
      const sender = connect('hyco/yes')
      await once(server, 'connection')
      assert.deepEqual(server.metrics(), {
        accepted: 1,
        rejected: 1,
        failed: 0,
        abandoned: 0,
        active: 1,
        pending: 0,
        reconnects: 0,
        requests: 0,
        failedRequests: 0,
        activeRequests: 0,
      })
      sender.terminate()
    })
  })
})
