'use strict'

const assert = require('node:assert/strict')
const { createHash, randomBytes } = require('node:crypto')
const { once } = require('node:events')
const { closeSync, createReadStream, mkdtempSync, openSync, rmSync, writeSync } = require('node:fs')
const http = require('node:http')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const { pipeline } = require('node:stream/promises')
const { after, afterEach, before, describe, it } = require('node:test')
const { buildSchema } = require('graphql')
const { createClient } = require('graphql-ws')
const { useServer } = require('graphql-ws/use/ws')
const jayson = require('jayson')
const WebSocket = require('ws')
const hyco = require('..')
const chat = require('./programs/chat-handler')
const Program = require('./support/children')
const TestRelay = require('./support/relay')
const { closed, until } = require('./support/watch')

const TIMEOUT = { timeout: 900_000 }
const MIB = 1 << 20

/** Memory that piping may take: what two sockets and a relay's window hold, and garbage. */
const FLAT = 96

describe('a program written for ws', TIMEOUT, () => {
  let relay
  const ending = []

  before(async () => {
    relay = await TestRelay.start({ hybridConnections: ['hyco'] })
  })

  afterEach(async () => {
    for (const end of ending.splice(0).toReversed()) await end()
  })

  after(() => relay.close())

  /** A server that listens at the relay, and how senders reach it. */
  const relayed = async (options) => {
    const server = new hyco.RelayedServer({
      server: relay.listenUri('hyco'),
      token: () => relay.token(),
      ...options,
    })
    await once(server, 'listening')
    ending.push(() => new Promise((resolve) => server.close(resolve)))
    const address = hyco.createRelaySendUri(relay.namespace, 'hyco', relay.token())
    return { server, address }
  }

  /** A server with a port, to compare with. */
  const local = async () => {
    const listener = http.createServer().listen(0, '127.0.0.1')
    await once(listener, 'listening')
    const server = new WebSocket.WebSocketServer({ server: listener })
    ending.push(() => {
      for (const client of server.clients) client.terminate()
      server.close()
      return new Promise((resolve) => listener.close(resolve))
    })
    return { server, address: `ws://127.0.0.1:${listener.address().port}/?a=b` }
  }

  /** Talks in the chat room, and writes down what everybody hears. */
  const conversation = async ({ server, address }) => {
    chat(server)
    const heard = { ada: [], grace: [] }
    const people = {}
    const everybodyHas = (ada, grace) =>
      until(() => heard.ada.length === ada && heard.grace.length === grace, `${ada} and ${grace}`)
    const join = (name) => {
      const person = new WebSocket(`${address}&name=${name}`)
      ending.push(() => person.terminate())
      person.on('message', (data, isBinary) => heard[name].push(isBinary ? [...data] : `${data}`))
      people[name] = person
    }
    join('ada')
    await everybodyHas(1, 0)
    join('grace')
    await everybodyHas(2, 1)
    people.ada.send('good morning')
    await everybodyHas(3, 2)
    people.grace.send(Buffer.from([1, 2, 3]))
    await everybodyHas(4, 3)
    // The heartbeat finds everybody alive.
    await Promise.all([...server.clients].map((client) => once(client, 'pong')))
    const end = closed(people.grace)
    people.grace.send('/quit')
    heard.end = await end
    await everybodyHas(5, 3)
    return heard
  }

  it('is a chat server', async () => {
    const expected = await conversation(await local())
    assert.equal(expected.end.reason, 'bye grace')
    assert.equal(expected.ada.length, 5)
    assert.deepEqual(await conversation(await relayed()), expected)
  })

  for (const [kind, start] of [
    ['with a port', local],
    ['at a relay', relayed],
  ]) {
    it(`is jayson, a JSON-RPC library, ${kind}`, async () => {
      const { server, address } = await start()
      const methods = {
        add: ([a, b], done) => done(null, a + b),
        fail: (args, done) => done({ code: 501, message: 'not today' }),
      }
      jayson.server(methods).websocket({ wss: server })
      const senders = [() => new WebSocket(address)]
      if (kind === 'at a relay') {
        senders.push(() => hyco.relayedConnect(relay.sendUri('hyco'), relay.token()))
      }
      for (const connect of senders) {
        const ws = connect()
        ending.push(() => ws.terminate())
        await once(ws, 'open')
        const client = jayson.client.websocket({ ws, timeout: 60_000 })
        const call = (name, args) =>
          new Promise((resolve, reject) =>
            client.request(name, args, (error, answer) =>
              error ? reject(error) : resolve(answer),
            ),
          )
        assert.equal((await call('add', [1, 2])).result, 3)
        assert.equal((await call('fail', [])).error.message, 'not today')
        assert.equal((await call('missing', [])).error.code, -32601)
        const sums = await Promise.all(Array.from({ length: 100 }, (_, i) => call('add', [i, i])))
        assert.deepEqual(
          sums.map(({ result }) => result),
          Array.from(sums, (_, i) => 2 * i),
        )
      }
    })

    it(`is graphql-ws, ${kind}`, async () => {
      const { server, address } = await start()
      const schema = buildSchema(`
        type Query { hello(name: String): String }
        type Subscription { count(to: Int): Int }
      `)
      const roots = {
        query: { hello: ({ name }) => `hello ${name}` },
        subscription: {
          async *count({ to }) {
            for (let i = 1; i <= to; i++) yield { count: i }
          },
        },
      }
      const disposable = useServer({ schema, roots }, server, 1_500)
      function RelayedClient(url, protocols) {
        return hyco.relayedConnect(relay.sendUri('hyco'), relay.token(), { protocols })
      }
      Object.setPrototypeOf(RelayedClient, WebSocket)
      const implementations = kind === 'at a relay' ? [WebSocket, RelayedClient] : [WebSocket]
      for (const webSocketImpl of implementations) {
        const client = createClient({ url: address, webSocketImpl, lazy: false, retryAttempts: 0 })
        const results = async (query) => {
          const found = []
          for await (const { data } of client.iterate({ query })) found.push(data)
          return JSON.parse(JSON.stringify(found))
        }
        assert.deepEqual(await results('{ hello(name: "ada") }'), [{ hello: 'hello ada' }])
        const counted = await results('subscription { count(to: 20) }')
        assert.deepEqual(
          counted,
          Array.from({ length: 20 }, (_, i) => ({ count: i + 1 })),
        )
        // The server's pings are answered.
        const [socket] = server.clients
        await once(socket, 'pong')
        assert.deepEqual(await results('{ hello(name: "again") }'), [{ hello: 'hello again' }])
        assert.equal(socket.protocol, 'graphql-transport-ws')
        const end = closed(socket)
        await client.dispose()
        assert.equal((await end).code, 1000)
      }
      await disposable.dispose()
    })
  }

  it('pipes a file of 200 MiB there and back with flat memory', async (context) => {
    const folder = mkdtempSync(join(tmpdir(), 'hyco-rs-test-'))
    ending.push(() => rmSync(folder, { recursive: true }))
    const [FILE, COPY] = [join(folder, 'file'), join(folder, 'copy')]
    const file = openSync(FILE, 'w')
    const block = randomBytes(MIB)
    for (let i = 0; i < 200; i++) {
      block.writeUInt32LE(i)
      writeSync(file, block)
    }
    closeSync(file)
    const env = {
      COPY,
      FILE,
      LISTEN: relay.listenUri('hyco'),
      SEND: relay.sendUri('hyco'),
      TOKEN: relay.token(),
    }
    const program = new Program('pipe', { env })
    ending.push(() => program.end())
    assert.deepEqual(await program.exited, { code: 0, signal: null }, program.output)
    for (const line of program.output.trim().split('\n')) context.diagnostic(line)
    const digest = async (path) => {
      const hash = createHash('sha256')
      await pipeline(createReadStream(path), hash)
      return hash.digest('hex')
    }
    assert.equal(await digest(COPY), await digest(FILE))
    const [, grown] = /grew by (-?\d+) MiB/.exec(program.output)
    assert.ok(Number(grown) < FLAT, `${grown} MiB`)
  })
})
