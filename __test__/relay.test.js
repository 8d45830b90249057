'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { readFileSync, readdirSync } = require('node:fs')
const { join } = require('node:path')
const { after, afterEach, before, describe, it } = require('node:test')
const WebSocket = require('ws')
const hyco = require('..')
const { differences } = require('./support/differences')
const TestRelay = require('./support/relay')
const { closed, failed, message, record } = require('./support/watch')

const TIMEOUT = { timeout: 300_000 }

describe('the differences from ws', TIMEOUT, () => {
  it('are the headings of their page, in its order', () => {
    const page = readFileSync(join(__dirname, '..', 'docs', 'differences-from-ws.md'), 'utf8')
    const headings = page.match(/^## .+$/gm).map((line) => line.slice(3))
    assert.deepEqual(
      differences.map(({ heading }) => heading),
      headings,
    )
  })

  it('name rows of the table, each once', () => {
    const sentences = new Set()
    for (const file of readdirSync(join(__dirname, 'conformance'))) {
      require(`./conformance/${file}`)((sentence) => sentences.add(sentence))
    }
    const rows = differences.flatMap(({ rows }) => rows)
    assert.equal(new Set(rows).size, rows.length)
    for (const row of rows) assert.ok(sentences.has(row), row)
    assert.ok(sentences.size - rows.length > 350, `${sentences.size} rows`)
  })
})

describe('instead of what ws does', TIMEOUT, () => {
  let relay
  const ending = []

  before(async () => {
    relay = await TestRelay.start({ hybridConnections: ['hyco'] })
  })

  afterEach(async () => {
    for (const end of ending.splice(0).toReversed()) await end()
  })

  after(() => relay.close())

  /** A server that listens. */
  const listen = async (options) => {
    const server = new hyco.RelayedServer({
      server: relay.listenUri('hyco'),
      token: () => relay.token(),
      ...options,
    })
    await once(server, 'listening')
    ending.push(() => new Promise((resolve) => server.close(resolve)))
    return server
  }

  /** A sender and its socket at the listener. */
  const meet = async (server, suffix = '', options = {}) => {
    const accepted = once(server, 'connection')
    const sender = hyco.relayedConnect(relay.sendUri(`hyco${suffix}`), relay.token(), options)
    ending.push(() => sender.terminate())
    const [[socket, request]] = await Promise.all([accepted, once(sender, 'open')])
    return { sender, socket, request }
  }

  it('nothing is compressed', async () => {
    const server = await listen({ perMessageDeflate: true })
    const { sender, socket } = await meet(server, '', { perMessageDeflate: true })
    assert.deepEqual([sender.extensions, socket.extensions], ['', ''])
    socket.send('x'.repeat(5000), { compress: true })
    assert.equal((await message(sender)).data.length, 5000)
  })

  it('the error of a refusal has status, reason and tracking id', async () => {
    const sender = hyco.relayedConnect(relay.sendUri('hyco'), relay.token())
    const { error, code } = await failed(sender)
    assert.equal(code, 1006)
    assert.match(error.code, /^HYCO_ERR_/)
    assert.equal(error.statusCode, 404)
    assert.match(error.reason, /no listeners/)
    assert.match(error.trackingId, /^[0-9a-f-]{36}_G/)
  })

  it('the error of a lost connection has the code of Node in its cause', async () => {
    const { error } = await failed(hyco.relayedConnect('ws://127.0.0.1:1/$hc/hyco', relay.token()))
    assert.equal(error.code, 'HYCO_ERR_CONNECT')
    assert.equal(error.cause.code, 'ECONNREFUSED')
  })

  it('the relay answers pings of both ends', async () => {
    const { sender, socket } = await meet(await listen())
    const events = [record(sender), record(socket)]
    for (const end of [sender, socket]) {
      const pong = once(end, 'pong')
      end.ping('are you there?')
      assert.equal(String((await pong)[0]), 'are you there?')
    }
    assert.deepEqual(events, [['pong:are you there?'], ['pong:are you there?']])
  })

  it('an accepted socket is open, emits open later, and has the address of its rendezvous', async () => {
    const server = await listen()
    const events = []
    server.on('connection', (socket) => {
      events.push(`connection ${socket.readyState}`)
      socket.on('open', () => events.push('open'))
    })
    const { socket } = await meet(server, '/a?b=c')
    assert.deepEqual(events, [`connection ${WebSocket.OPEN}`, 'open'])
    const url = new URL(socket.url)
    assert.equal(url.pathname, '/$hc/hyco/a')
    assert.equal(url.searchParams.get('b'), 'c')
    assert.equal(url.searchParams.get('sb-hc-action'), 'accept')
  })

  it('a refused sender sees the message as the reason', async () => {
    await listen({ verifyClient: (info, callback) => callback(false, 403, 'Go away') })
    const sender = new WebSocket(relay.sendUri('hyco'), {
      headers: { ServiceBusAuthorization: relay.token() },
    })
    sender.on('error', () => {})
    const [, response] = await once(sender, 'unexpected-response')
    response.resume()
    assert.deepEqual([response.statusCode, response.statusMessage], [403, 'Go away'])
    sender.terminate()
  })

  it('an error of an accepted socket that nobody listens for is not thrown', async () => {
    const { sender, socket } = await meet(await listen({ maxPayload: 10 }))
    const ends = Promise.all([closed(sender), closed(socket)])
    sender.send('more than ten bytes')
    assert.deepEqual(
      (await ends).map(({ code }) => code),
      [1009, 1006],
    )
  })

  it('close() closes the clients, may be called again, and emits close once', async () => {
    const server = await listen()
    const { sender } = await meet(server)
    const closes = []
    server.on('close', (...args) => closes.push(args))
    const end = closed(sender)
    await new Promise((resolve) => server.close(resolve))
    assert.equal((await end).code, 1000)
    const again = await new Promise((resolve) => server.close((...args) => resolve(args)))
    assert.deepEqual(again, [])
    assert.deepEqual(closes, [[server]])
  })

  it('clients is an array and a set', async () => {
    const server = await listen()
    const { socket } = await meet(server)
    const { clients } = server
    assert.ok(Array.isArray(clients))
    assert.deepEqual(
      [clients.length, clients.size, clients[0], clients.has(socket)],
      [1, 1, socket, true],
    )
    assert.equal(clients.indexOf(socket), 0)
    assert.deepEqual([...clients], [socket])
  })

  it('what is sent may be changed at once', async () => {
    const { sender, socket } = await meet(await listen())
    for (const size of [10, 20_000, 300_000]) {
      const received = message(sender)
      const buffer = Buffer.alloc(size, 'a')
      socket.send(buffer)
      buffer.fill('b')
      assert.ok((await received).data.equals(Buffer.alloc(size, 'a')))
    }
  })
})
