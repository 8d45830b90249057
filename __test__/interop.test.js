'use strict'

const assert = require('node:assert/strict')
const { execFile } = require('node:child_process')
const { createHash, randomBytes } = require('node:crypto')
const { once } = require('node:events')
const { join } = require('node:path')
const { after, afterEach, before, describe, it } = require('node:test')
const { promisify } = require('node:util')
const WebSocket = require('ws')
const hyco = require('..')
const pythonWithWebsockets = require('./support/python')
const TestRelay = require('./support/relay')
const { closed, failed, message, messages, until } = require('./support/watch')

const run = promisify(execFile)
const TIMEOUT = { timeout: 900_000 }
const PYTHON_SENDER = join(__dirname, 'support', 'sender.py')
const SIZES = [0, 1, 125, 126, 65535, 65536, 32 << 20]

/** Waits for the answer of a relay that refuses. */
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

/** Echoes what it gets. */
function echo(socket) {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
}

for (const secure of [false, true]) {
  describe(`a relay over ${secure ? 'TLS' : 'TCP'}`, TIMEOUT, () => {
    let relay
    let server
    let tls
    const sockets = new Set()
    let connected = echo

    /** Keeps a socket, to end it after the test. */
    const keep = (socket) => {
      sockets.add(socket)
      return socket
    }

    /** A sender that is not ours. */
    const plain = (suffix = '', protocols = [], options = {}) =>
      keep(
        new WebSocket(relay.sendUri(`hyco${suffix}`), protocols, {
          ca: relay.ca,
          ...options,
          headers: { ServiceBusAuthorization: relay.token(), ...options.headers },
        }),
      )

    /** A sender that is ours. */
    const ours = (suffix = '', options = {}) =>
      keep(hyco.relayedConnect(relay.sendUri(`hyco${suffix}`), relay.token(), { tls, ...options }))

    before(async () => {
      relay = await TestRelay.start({ tls: secure, hybridConnections: ['hyco', 'empty'] })
      tls = secure ? { ca: relay.ca } : undefined
      server = new hyco.RelayedServer({
        server: relay.listenUri('hyco'),
        token: () => relay.token(),
        tls,
        maxPayload: 64 << 20,
      })
      server.on('connection', (socket, request) => connected(socket, request))
      await once(server, 'listening')
    })

    afterEach(async () => {
      connected = echo
      for (const socket of sockets) {
        socket.on('error', () => {})
        socket.terminate()
      }
      sockets.clear()
      await until(() => {
        const { active, pending } = server.metrics()
        return active + pending === 0
      }, 'the end of all sockets')
    })

    after(async () => {
      await new Promise((resolve) => server.close(resolve))
      await relay.close()
    })

    it('takes a sender with its token in a header', async () => {
      const sender = plain()
      await once(sender, 'open')
      sender.send('hello')
      const { data, isBinary } = await message(sender)
      assert.deepEqual([String(data), isBinary], ['hello', false])
    })

    it('takes a sender with its token in the query, as a browser does it', async () => {
      const uri = hyco.createRelaySendUri(relay.namespace, 'hyco', relay.token())
      const sender = keep(new WebSocket(uri, 'chat', { ca: relay.ca }))
      await once(sender, 'open')
      assert.equal(sender.protocol, 'chat')
      sender.send('hello')
      assert.equal(String((await message(sender)).data), 'hello')
    })

    it('takes a sender whose token was appended', async () => {
      const { keyName, key } = relay.emulator
      const uri = hyco.appendRelayToken(relay.sendUri('hyco'), keyName, key)
      const sender = keep(new WebSocket(uri, { ca: relay.ca }))
      await once(sender, 'open')
    })

    it('does not show the token of a sender to the listener', async () => {
      let seen
      connected = (socket, request) => {
        seen = request
      }
      const token = relay.token()
      const uri = `${hyco.createRelaySendUri(relay.namespace, 'hyco/a?b=c', token)}&d=e`
      await once(keep(new WebSocket(uri, { ca: relay.ca })), 'open')
      await until(() => seen, 'a sender')
      assert.equal(seen.url, '/hyco/a?b=c&d=e')
      const all = JSON.stringify([seen.url, seen.headers, seen.rawHeaders])
      assert.ok(!all.includes('SharedAccessSignature'))
    })

    it('lets our listener and our sender meet', async () => {
      const sender = ours()
      await once(sender, 'open')
      sender.send('text')
      sender.send(Buffer.from([1, 2, 3]))
      const [text, binary] = await messages(sender, 2)
      assert.deepEqual([String(text.data), text.isBinary], ['text', false])
      assert.deepEqual([[...binary.data], binary.isBinary], [[1, 2, 3], true])
      const end = closed(sender)
      sender.close(1000, 'done')
      assert.deepEqual(await end, { code: 1000, reason: 'done' })
    })

    for (const [name, connect] of [
      ['a sender of ws', plain],
      ['our sender', ours],
    ]) {
      for (const size of SIZES) {
        it(`carries ${size} bytes there and back for ${name}`, async () => {
          const sender = connect('', name === 'our sender' ? { maxPayload: 64 << 20 } : undefined)
          await once(sender, 'open')
          const bytes = randomBytes(size)
          const text = bytes.toString('latin1').slice(0, size >> 1)
          sender.send(bytes)
          sender.send(text)
          const [first, second] = await messages(sender, 2)
          assert.equal(first.isBinary, true)
          assert.ok(first.data.equals(bytes))
          assert.equal(second.isBinary, false)
          assert.equal(second.data.toString(), text)
        })
      }

      it(`carries fragments of ${name}`, async () => {
        const sender = connect()
        await once(sender, 'open')
        const pieces = Array.from({ length: 10 }, () => randomBytes(50_000))
        pieces.forEach((piece, i) => sender.send(piece, { fin: i === 9 }))
        sender.send('a', { fin: false })
        sender.ping('between')
        sender.send('b')
        const [binary, text] = await messages(sender, 2)
        assert.ok(binary.data.equals(Buffer.concat(pieces)))
        assert.equal(String(text.data), 'ab')
      })

      it(`carries code and reason when ${name} closes`, async () => {
        const ends = []
        connected = (socket) => ends.push(closed(socket))
        const sender = connect()
        await once(sender, 'open')
        const end = closed(sender)
        sender.close(4001, 'grüße')
        assert.deepEqual(await end, { code: 4001, reason: 'grüße' })
        assert.deepEqual(await ends[0], { code: 4001, reason: 'grüße' })
      })

      it(`carries code and reason to ${name} when the listener closes`, async () => {
        connected = (socket) => socket.close(4002, 'no more')
        const sender = connect()
        assert.deepEqual(await closed(sender), { code: 4002, reason: 'no more' })
      })

      it(`carries a close without a code between ${name} and the listener`, async () => {
        const ends = []
        connected = (socket) => ends.push(closed(socket))
        const sender = connect()
        await once(sender, 'open')
        const end = closed(sender)
        sender.close()
        assert.deepEqual(await end, { code: 1005, reason: '' })
        assert.deepEqual(await ends[0], { code: 1005, reason: '' })
      })

      it(`carries a loss from ${name} to the listener`, async () => {
        const ends = []
        connected = (socket) => ends.push(closed(socket))
        const sender = connect()
        await once(sender, 'open')
        sender.terminate()
        await until(() => ends.length === 1, 'a listener socket')
        assert.equal((await ends[0]).code, 1006)
      })

      it(`carries a loss from the listener to ${name}`, async () => {
        connected = (socket) => socket.terminate()
        assert.equal((await closed(connect())).code, 1006)
      })
    }

    it('carries path, query and headers of a sender', async () => {
      const seen = once(server, 'connection')
      await once(plain('/a/b%20c?x=1&y=%2F', [], { headers: { 'X-Colour': 'blue' } }), 'open')
      const [socket, request] = await seen
      assert.equal(request.url, '/hyco/a/b%20c?x=1&y=%2F')
      assert.equal(request.headers['x-colour'], 'blue')
      assert.ok(socket.url.includes('/hyco/a/b%20c?x=1&y=%2F'))
    })

    it('agrees on the subprotocol that the sender prefers', async () => {
      const seen = once(server, 'connection')
      const sender = ours('', { protocols: ['v2', 'v1'] })
      await once(sender, 'open')
      const [socket] = await seen
      assert.deepEqual([sender.protocol, socket.protocol], ['v2', 'v2'])
    })

    it('pairs a hundred senders at once', async () => {
      const senders = Array.from({ length: 100 }, (_, i) => (i % 2 ? plain() : ours()))
      const answers = senders.map(async (sender, i) => {
        await once(sender, 'open')
        const received = message(sender)
        sender.send(`sender ${i}`)
        return String((await received).data)
      })
      const expected = senders.map((_, i) => `sender ${i}`)
      assert.deepEqual(await Promise.all(answers), expected)
      assert.equal(server.clients.size, 100)
    })

    it('refuses a sender without a token', async () => {
      const bare = keep(new WebSocket(relay.sendUri('hyco'), { ca: relay.ca }))
      const answer = await refusal(bare)
      assert.equal(answer.status, 401)
      assert.match(answer.text, /TrackingId:/)
      const { error, code } = await failed(
        keep(hyco.relayedConnect(relay.sendUri('hyco'), null, { tls })),
      )
      assert.equal(error.statusCode, 401)
      assert.equal(code, 1006)
    })

    it('refuses a sender whose token has another key', async () => {
      const token = hyco.createRelayToken(relay.sendUri('hyco'), relay.emulator.keyName, 'wrong')
      const { error } = await failed(
        keep(hyco.relayedConnect(relay.sendUri('hyco'), token, { tls })),
      )
      assert.equal(error.statusCode, 401)
      assert.ok(!error.message.includes(token))
    })

    it('refuses a sender of an unknown hybrid connection', async () => {
      const { error } = await failed(
        keep(hyco.relayedConnect(relay.sendUri('unknown'), relay.token(), { tls })),
      )
      assert.equal(error.statusCode, 404)
      assert.match(error.message, /Endpoint does not exist/)
      assert.ok(error.trackingId)
    })

    it('refuses a sender where nobody listens', async () => {
      const { error } = await failed(
        keep(hyco.relayedConnect(relay.sendUri('empty'), relay.token(), { tls })),
      )
      assert.equal(error.statusCode, 404)
      assert.match(error.message, /no listeners connected/)
    })

    it('gives status and text of a listener that refuses to any sender', async () => {
      const refusing = new hyco.RelayedServer({
        server: relay.listenUri('empty'),
        token: () => relay.token(),
        tls,
        verifyClient: (info, callback) => callback(false, 418, 'I serve tea only'),
      })
      await once(refusing, 'listening')
      const uri = relay.sendUri('empty')
      const headers = { ServiceBusAuthorization: relay.token() }
      const answer = await refusal(keep(new WebSocket(uri, { ca: relay.ca, headers })))
      assert.deepEqual(answer, { status: 418, text: 'I serve tea only' })
      const { error } = await failed(keep(hyco.relayedConnect(uri, relay.token(), { tls })))
      assert.equal(error.statusCode, 418)
      assert.match(error.message, /I serve tea only/)
      await new Promise((resolve) => refusing.close(resolve))
    })

    it('answers curl as a sender, right and wrong', async () => {
      const uri = relay.sendUri('hyco').replace(/^ws/, 'http')
      const curl = (address, ...headers) =>
        run('curl', [
          '--silent',
          '--insecure',
          '--http1.1',
          '--include',
          '--no-buffer',
          '--max-time',
          '5', // the last answer has no end
          ...headers.flatMap((header) => ['--header', header]),
          address,
        ]).then(
          ({ stdout }) => stdout,
          (error) => error.stdout,
        )
      const upgrade = [
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
      ]
      const authorization = `ServiceBusAuthorization: ${relay.token()}`
      assert.match(await curl(uri), /^HTTP\/1\.1 400 /)
      assert.match(await curl(uri, ...upgrade), /^HTTP\/1\.1 401 .*TrackingId:/)
      const unknown = relay.sendUri('unknown').replace(/^ws/, 'http')
      assert.match(await curl(unknown, ...upgrade, authorization), /^HTTP\/1\.1 404 Endpoint/)
      connected = (socket) => socket.close(1000)
      assert.match(await curl(uri, ...upgrade, authorization), /^HTTP\/1\.1 101 /)
    })

    it('answers a sender in Python', async (context) => {
      const python = pythonWithWebsockets()
      if (python === null) {
        context.skip('NOT TESTED: there is no Python 3 with venv on this machine')
        return
      }
      const ends = []
      connected = (socket) => {
        echo(socket)
        ends.push(closed(socket))
      }
      const URI = hyco.createRelaySendUri(relay.namespace, 'hyco', relay.token())
      const env = { ...process.env, URI, ...(secure && { CA: relay.ca }) }
      await run(python, [PYTHON_SENDER], { env, timeout: 120_000 })
      assert.deepEqual(await ends[0], { code: 4003, reason: 'from python' })
    })

    it('does not care how fast each side reads', async () => {
      const hash = createHash('sha256')
      let received = 0
      connected = (socket) => {
        socket.on('message', (data) => {
          hash.update(data)
          received++
          socket.pause()
          setTimeout(() => socket.resume(), 1)
        })
      }
      const sender = plain()
      await once(sender, 'open')
      const expected = createHash('sha256')
      for (let i = 0; i < 100; i++) {
        const bytes = randomBytes(64 << 10)
        expected.update(bytes)
        sender.send(bytes)
      }
      await until(() => received === 100, 'a hundred messages')
      assert.equal(hash.digest('hex'), expected.digest('hex'))
    })
  })
}
