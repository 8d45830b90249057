'use strict'

const assert = require('node:assert/strict')
const { EventEmitter, once } = require('node:events')
const http = require('node:http')
const WebSocket = require('ws')
const { closed, failed, message, uncaught, until } = require('../support/watch')

const ROLE = { role: 'server' }

/** Waits for the answer of a server that refuses. */
function refusal(client) {
  client.on('error', () => {})
  return new Promise((resolve) => {
    client.on('unexpected-response', (request, response) => {
      response.resume()
      resolve({ status: response.statusCode, text: response.statusMessage })
      request.destroy()
    })
  })
}

/** Starts a server for one row and ends it afterwards. */
async function serve(pair, later, options) {
  const served = await pair.serve(options)
  later.push(() => served.close())
  return served
}

/** Connects, and waits for both ends. */
async function meet(served, protocols, options) {
  const accepted = once(served.server, 'connection')
  const client = served.connect(protocols, options)
  const [[socket, request]] = await Promise.all([accepted, once(client, 'open')])
  return { client, socket, request }
}

/** What a server does, whether it has a port or listens at a relay. */
module.exports = (row) => {
  row('is an EventEmitter', ROLE, async (pair, later) => {
    const { server } = await serve(pair, later, {})
    assert.ok(server instanceof EventEmitter)
  })

  row('emits connection with an open socket and the request', ROLE, async (pair, later) => {
    const served = await serve(pair, later, {})
    let state
    served.server.on('connection', (socket) => {
      state = socket.readyState
    })
    const { socket, request } = await meet(served, [], { headers: { 'X-Colour': 'blue' } })
    assert.equal(state, WebSocket.OPEN)
    assert.ok(socket instanceof WebSocket)
    assert.ok(request instanceof http.IncomingMessage)
    assert.equal(request.method, 'GET')
    assert.equal(request.headers['x-colour'], 'blue')
    assert.equal(request.headers['sec-websocket-version'], '13')
    assert.equal(typeof request.url, 'string')
    assert.ok(request.url.startsWith('/'))
    assert.equal(typeof request.socket.remoteAddress, 'string')
    assert.equal(typeof request.socket.remotePort, 'number')
    assert.ok(Array.isArray(request.rawHeaders))
  })

  row('calls connection listeners with the server as this', ROLE, async (pair, later) => {
    const served = await serve(pair, later, {})
    const called = new Promise((resolve) => {
      served.server.on('connection', function onConnection() {
        resolve(this)
      })
    })
    await meet(served)
    assert.equal(await called, served.server)
  })

  row(
    'chooses the first subprotocol when there is no handleProtocols',
    ROLE,
    async (pair, later) => {
      const { client, socket } = await meet(await serve(pair, later, {}), ['b', 'a'])
      assert.deepEqual([client.protocol, socket.protocol], ['b', 'b'])
    },
  )

  row('takes the subprotocol that handleProtocols returns', ROLE, async (pair, later) => {
    const calls = []
    const served = await serve(pair, later, {
      handleProtocols: (protocols, request) => {
        calls.push([[...protocols], protocols.has('b'), protocols.size, request.method])
        return 'b'
      },
    })
    const { client, socket } = await meet(served, ['a', 'b', 'c'])
    assert.deepEqual([client.protocol, socket.protocol], ['b', 'b'])
    assert.deepEqual(calls, [[['a', 'b', 'c'], true, 3, 'GET']])
  })

  row('takes no subprotocol when handleProtocols returns false', ROLE, async (pair, later) => {
    const served = await serve(pair, later, { handleProtocols: () => false })
    const accepted = once(served.server, 'connection')
    const client = served.connect(['a'])
    const { error } = await failed(client)
    assert.equal(error.message, 'Server sent no subprotocol')
    const [socket] = await accepted
    assert.equal(socket.protocol, '')
  })

  row(
    'does not let handleProtocols choose where nothing was offered',
    ROLE,
    async (pair, later) => {
      const served = await serve(pair, later, { handleProtocols: () => 'unasked' })
      const { client, socket } = await meet(served)
      assert.deepEqual([client.protocol, socket.protocol], ['', ''])
    },
  )

  row('refuses with 400 what is no list of subprotocols', ROLE, async (pair, later) => {
    const served = await serve(pair, later, {})
    const client = served.connect([], {
      headers: { 'Sec-WebSocket-Protocol': 'a b' },
    })
    assert.equal((await refusal(client)).status, 400)
  })

  row('asks verifyClient with origin, secure and the request', ROLE, async (pair, later) => {
    const calls = []
    const served = await serve(pair, later, {
      verifyClient: (info) => {
        calls.push(info)
        return true
      },
    })
    await meet(served, [], { origin: 'https://example.org' })
    assert.equal(calls.length, 1)
    const [{ origin, secure, req }] = calls
    assert.equal(origin, 'https://example.org')
    assert.equal(typeof secure, 'boolean')
    assert.ok(req instanceof http.IncomingMessage)
  })

  row('refuses with 401 when verifyClient returns false', ROLE, async (pair, later) => {
    const served = await serve(pair, later, { verifyClient: () => false })
    served.server.on('connection', () => assert.fail('must not be accepted'))
    assert.equal((await refusal(served.connect())).status, 401)
  })

  row('waits for the callback of verifyClient', ROLE, async (pair, later) => {
    const served = await serve(pair, later, {
      verifyClient: (info, callback) => setTimeout(callback, 20, true),
    })
    const { socket } = await meet(served)
    assert.equal(socket.readyState, WebSocket.OPEN)
  })

  row('refuses with 401 when the callback of verifyClient says no', ROLE, async (pair, later) => {
    const served = await serve(pair, later, {
      verifyClient: (info, callback) => setImmediate(callback, false),
    })
    assert.equal((await refusal(served.connect())).status, 401)
  })

  row('refuses with the code that verifyClient gives', ROLE, async (pair, later) => {
    const served = await serve(pair, later, {
      verifyClient: (info, callback) => callback(false, 403, 'Go away', { 'X-Any': 'header' }),
    })
    assert.equal((await refusal(served.connect())).status, 403)
  })

  row('does not ask for a subprotocol when verifyClient refuses', ROLE, async (pair, later) => {
    const served = await serve(pair, later, {
      verifyClient: () => false,
      handleProtocols: () => assert.fail('must not be asked'),
    })
    assert.equal((await refusal(served.connect(['a']))).status, 401)
  })

  row('emits headers with the lines of its answer and the request', ROLE, async (pair, later) => {
    const served = await serve(pair, later, {})
    const shown = once(served.server, 'headers')
    await meet(served, ['chat'])
    const [lines, request] = await shown
    assert.ok(Array.isArray(lines))
    assert.equal(lines[0], 'HTTP/1.1 101 Switching Protocols')
    assert.ok(lines.includes('Sec-WebSocket-Protocol: chat'))
    assert.ok(request instanceof http.IncomingMessage)
  })

  row('emits headers before connection', ROLE, async (pair, later) => {
    const served = await serve(pair, later, {})
    const events = []
    served.server.on('headers', () => events.push('headers'))
    served.server.on('connection', () => events.push('connection'))
    await meet(served)
    assert.deepEqual(events, ['headers', 'connection'])
  })

  row('tracks its clients', ROLE, async (pair, later) => {
    const served = await serve(pair, later, {})
    const { server } = served
    assert.equal(server.clients.size, 0)
    let tracked
    server.on('connection', (socket) => {
      tracked = server.clients.has(socket)
    })
    const first = await meet(served)
    const second = await meet(served)
    assert.equal(tracked, true)
    assert.equal(server.clients.size, 2)
    assert.deepEqual([...server.clients], [first.socket, second.socket])
    const seen = []
    server.clients.forEach((client) => seen.push(client))
    assert.deepEqual(seen, [first.socket, second.socket])
    const end = closed(first.socket)
    first.client.close()
    await end
    assert.equal(server.clients.size, 1)
    assert.equal(server.clients.has(first.socket), false)
  })

  row('forgets a client that is terminated', ROLE, async (pair, later) => {
    const served = await serve(pair, later, {})
    const { socket } = await meet(served)
    const end = closed(socket)
    socket.terminate()
    await end
    assert.equal(served.server.clients.size, 0)
  })

  row('can send to all its clients', ROLE, async (pair, later) => {
    const served = await serve(pair, later, {})
    const clients = []
    for (let i = 0; i < 5; i++) clients.push((await meet(served)).client)
    const received = clients.map(message)
    for (const client of served.server.clients) {
      if (client.readyState === WebSocket.OPEN) client.send('to all')
    }
    for (const { data } of await Promise.all(received)) assert.equal(String(data), 'to all')
  })

  row('gives its options to its sockets', ROLE, async (pair, later) => {
    const served = await serve(pair, later, { maxPayload: 100 })
    const { client, socket } = await meet(served)
    const failure = failed(socket)
    client.on('error', () => {})
    client.send('x'.repeat(101))
    assert.equal((await failure).error.code, 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH')
  })

  row('emits close once after close()', ROLE, async (pair) => {
    const served = await pair.serve({})
    let closes = 0
    served.server.on('close', () => closes++)
    const end = once(served.server, 'close')
    served.server.close()
    await end
    await new Promise((resolve) => setTimeout(resolve, 5))
    assert.equal(closes, 1)
    await served.close()
  })

  row('calls the callback of close()', ROLE, async (pair) => {
    const served = await pair.serve({})
    await new Promise((resolve) => served.server.close(resolve))
    await served.close()
  })

  row('accepts nobody after close()', ROLE, async (pair) => {
    const served = await pair.serve({})
    served.server.on('connection', () => assert.fail('must not be accepted'))
    const end = once(served.server, 'close')
    served.server.close()
    await end
    const closing = served.close()
    const { code } = await failed(served.connect([], { handshakeTimeout: 3000 }))
    assert.equal(code, 1006)
    await closing
  })

  row('can be closed in its connection event', ROLE, async (pair) => {
    const served = await pair.serve({})
    const end = once(served.server, 'close')
    served.server.on('connection', (socket) => {
      served.server.close()
      socket.close(1000)
    })
    const client = served.connect()
    assert.equal((await closed(client)).code, 1000)
    await end
    await served.close()
  })

  row(
    'lets an exception of a connection listener reach uncaughtException',
    ROLE,
    async (pair, later) => {
      const served = await serve(pair, later, {})
      const errors = await uncaught(async (collected) => {
        served.server.once('connection', () => {
          throw new Error('thrown by a listener')
        })
        served.connect().on('error', () => {})
        await until(() => collected.length === 1, 'the exception')
      })
      assert.equal(errors[0].message, 'thrown by a listener')
      const { socket } = await meet(served)
      assert.equal(socket.readyState, WebSocket.OPEN)
    },
  )

  row('serves a hundred clients at once', ROLE, async (pair, later) => {
    const served = await serve(pair, later, {})
    served.server.on('connection', (socket) => socket.on('message', (data) => socket.send(data)))
    const echoes = Array.from({ length: 100 }, async (_, i) => {
      const client = served.connect()
      await once(client, 'open')
      const received = message(client)
      client.send(String(i))
      return String((await received).data)
    })
    assert.deepEqual(
      await Promise.all(echoes),
      Array.from({ length: 100 }, (_, i) => String(i)),
    )
  })
}
