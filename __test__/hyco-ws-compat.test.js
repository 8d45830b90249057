'use strict'

const assert = require('node:assert/strict')
const { execFileSync } = require('node:child_process')
const { randomBytes } = require('node:crypto')
const { once } = require('node:events')
const { after, afterEach, before, describe, it } = require('node:test')
const WebSocket = require('ws')
const hyco = require('..')
const Program = require('./support/children')
const hycoWs = require('./support/hyco-ws')
const TestRelay = require('./support/relay')
const { closed, message, messages, until } = require('./support/watch')

const TIMEOUT = { timeout: 300_000 }

describe('the examples of the public documentation', TIMEOUT, () => {
  let relay
  let env
  const programs = []

  /** Starts a program that ends with the test. */
  const start = (name) => {
    const program = new Program(`documentation/${name}`, { env })
    programs.push(program)
    return program
  }

  before(async () => {
    relay = await TestRelay.start({ hybridConnections: ['hyco'] })
    env = {
      SB_HC_NAMESPACE: relay.namespace,
      SB_HC_PATH: 'hyco',
      SB_HC_KEYRULE: relay.emulator.keyName,
      SB_HC_KEY: relay.emulator.key,
    }
  })

  afterEach(async () => {
    await Promise.all(programs.splice(0).map((program) => program.end()))
  })

  after(() => relay.close())

  /** Connects as soon as somebody listens. */
  const connect = async () => {
    for (;;) {
      const sender = hyco.relayedConnect(relay.sendUri('hyco'), relay.token())
      const opened = await Promise.race([
        once(sender, 'open').then(() => true),
        new Promise((resolve) => sender.once('error', () => resolve(false))),
      ])
      if (opened) return sender
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  it('listen and send', async () => {
    const listener = start('listener')
    await listener.says('listening')
    const first = await connect()
    // The sender may be open before its listener knows of it, who would never hear of it then.
    await listener.says('connection accepted')
    first.terminate()
    const sender = start('sender')
    await sender.says('Started client interval.')
    sender.tell('{"hello":"world"}')
    await listener.says("{ hello: 'world' }")
    sender.tell('[1,2,3]')
    await listener.says('[ 1, 2, 3 ]')
    await sender.end()
    await listener.says(/connection closed[^]*connection closed/)
    assert.ok(!listener.output.includes('error'), listener.output)
  })

  it('construct a server and end by themselves', async () => {
    const listener = start('relayed-server')
    await listener.says('listening')
    const sender = hyco.relayedConnect(relay.sendUri('hyco'), relay.token())
    await once(sender, 'open')
    const end = closed(sender)
    sender.send('hello')
    assert.equal(String((await message(sender)).data), 'echo hello')
    assert.equal((await end).code, 1000)
    assert.deepEqual(await listener.exited, { code: 0, signal: null })
    assert.equal(listener.output, 'listening\nheaders true\nconnection\n')
  })

  it('send until the listener closes', async () => {
    const server = hyco.createRelayedServer(
      { server: relay.listenUri('hyco'), token: () => relay.token() },
      (socket) => socket.on('message', () => socket.close(1000)),
    )
    await once(server, 'listening')
    const sender = start('sender')
    await sender.says('Started client interval.')
    sender.tell('bye')
    assert.deepEqual(await sender.exited, { code: 0, signal: null })
    assert.match(sender.output, /stopping client interval/)
    await new Promise((resolve) => server.close(resolve))
  })
})

describe('hyco-ws 1.0.5', TIMEOUT, () => {
  let old
  let relay
  const ending = []

  before(async () => {
    old = hycoWs()
    relay = await TestRelay.start({ hybridConnections: ['hyco'] })
  })

  afterEach(async () => {
    for (const end of ending.splice(0).toReversed()) await end()
  })

  after(() => relay.close())

  /** A listener of hyco-ws. */
  const listenOld = async (options, connected) => {
    const server = old.createRelayedServer(
      { server: relay.listenUri('hyco'), token: () => relay.token(), ...options },
      connected,
    )
    await once(server, 'listening')
    ending.push(async () => {
      const end = once(server, 'close')
      server.close()
      await end
    })
    return server
  }

  /** A listener of this package. */
  const listen = async (options, connected) => {
    const server = hyco.createRelayedServer(
      { server: relay.listenUri('hyco'), token: () => relay.token(), ...options },
      connected,
    )
    await once(server, 'listening')
    ending.push(() => new Promise((resolve) => server.close(resolve)))
    return server
  }

  /** A sender of this package. */
  const connect = async (suffix = '', options = {}) => {
    const sender = hyco.relayedConnect(relay.sendUri(`hyco${suffix}`), relay.token(), options)
    ending.push(() => sender.terminate())
    await once(sender, 'open')
    return sender
  }

  /** A sender of hyco-ws. */
  const connectOld = async (suffix = '') => {
    const sender = await new Promise((resolve) =>
      old.relayedConnect(relay.sendUri(`hyco${suffix}`), relay.token(), resolve),
    )
    ending.push(() => sender.terminate())
    return sender
  }

  /** Echoes as a program for ws 1.1 does. */
  const echoOld = (socket) =>
    socket.on('message', (data, flags) => socket.send(data, { binary: Boolean(flags.binary) }))

  /** Echoes as a program for ws 8 does. */
  const echo = (socket) =>
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))

  /** The next message of a socket of ws 1.1. */
  const messageOld = (socket) =>
    new Promise((resolve) =>
      socket.once('message', (data, flags) => resolve({ data, isBinary: Boolean(flags.binary) })),
    )

  it('as listener serves our sender', async () => {
    await listenOld({}, echoOld)
    const sender = await connect()
    const bytes = randomBytes(1 << 20)
    sender.send('grüße')
    sender.send(bytes)
    sender.send('')
    const [text, binary, empty] = await messages(sender, 3)
    assert.deepEqual([String(text.data), text.isBinary], ['grüße', false])
    assert.ok(binary.data.equals(bytes))
    assert.equal(binary.isBinary, true)
    assert.equal(empty.data.length, 0)
    const end = closed(sender)
    sender.close(1000, 'done')
    assert.equal((await end).code, 1000)
  })

  it('as listener serves a sender of ws, which offers compression', async () => {
    await listenOld({}, echoOld)
    const sender = new WebSocket(relay.sendUri('hyco'), {
      headers: { ServiceBusAuthorization: relay.token() },
    })
    await once(sender, 'open')
    assert.equal(sender.extensions, '')
    sender.send('hello')
    assert.equal(String((await message(sender)).data), 'hello')
    sender.terminate()
  })

  it('as listener chooses the first subprotocol', async () => {
    await listenOld({}, echoOld)
    const sender = await connect('', { protocols: ['v2', 'v1'] })
    assert.equal(sender.protocol, 'v2')
  })

  it('as listener closes its senders', async () => {
    const server = await listenOld({}, echoOld)
    const sender = await connect()
    // The sender may be open before the listener's end is, which then would break off instead.
    await until(() => server.clients[0]?.readyState === 1, 'an open client')
    const end = closed(sender)
    server.clients[0].close(4000, 'enough')
    assert.deepEqual(await end, { code: 4000, reason: 'enough' })
  })

  it('as sender is served by our listener', async () => {
    const server = await listen({}, echo)
    const sender = await connectOld('/suffix?a=b')
    const bytes = randomBytes(1 << 20)
    const first = messageOld(sender)
    sender.send('grüße')
    assert.deepEqual(await first, { data: 'grüße', isBinary: false })
    const second = messageOld(sender)
    sender.send(bytes)
    const { data, isBinary } = await second
    assert.ok(bytes.equals(data))
    assert.equal(isBinary, true)
    assert.equal(server.clients.length, 1)
    const end = closed(server.clients[0])
    sender.close(1000, 'done')
    assert.deepEqual(await end, { code: 1000, reason: 'done' })
  })

  it('as sender sees how our listener closes', async () => {
    await listen({}, (socket) => socket.on('message', () => socket.close(4001, 'no')))
    const sender = await connectOld()
    const end = new Promise((resolve) =>
      sender.on('close', (code, reason) => resolve({ code, reason: String(reason) })),
    )
    sender.send('x')
    assert.deepEqual(await end, { code: 4001, reason: 'no' })
  })

  it('as sender gets the subprotocol that our listener chooses', async () => {
    await listen({ handleProtocols: (list, done) => done(true, list[1]) }, echo)
    const token = relay.token()
    const sender = new old(relay.sendUri('hyco'), ['v2', 'v1'], {
      headers: { ServiceBusAuthorization: token },
    })
    ending.push(() => sender.terminate())
    await once(sender, 'open')
    assert.equal(sender.protocol, 'v1')
  })

  it('as sender is told that it is refused', async () => {
    await listen({ verifyClient: () => false }, echo)
    const sender = old.relayedConnect(relay.sendUri('hyco'), relay.token())
    const [error] = await once(sender, 'error')
    assert.match(error.message, /401/)
  })

  it('as both ends meets itself at our relay', async () => {
    await listenOld({}, echoOld)
    const sender = await connectOld()
    const received = messageOld(sender)
    sender.send('hello')
    assert.deepEqual(await received, { data: 'hello', isBinary: false })
  })

  it('has each of its options where programs read them: in server.options', async () => {
    const token = relay.token()
    const given = { token: () => token, handleProtocols: () => 'a', verifyClient: () => true }
    const theirs = await listenOld(given)
    const ours = await listen(given)
    for (const name of Object.keys(theirs.options)) {
      assert.ok(name in ours.options, name)
      // Here nothing is compressed, and there nothing is either, whatever the option says.
      const value = name === 'perMessageDeflate' ? false : theirs.options[name]
      assert.equal(ours.options[name], value, name)
    }
    assert.equal(ours.listenUri, theirs.listenUri)
    assert.equal(ours.closeRequested, theirs.closeRequested)
  })

  it('makes the same addresses and tokens', () => {
    const ns = 'contoso.servicebus.windows.net'
    for (const path of ['hyco', 'team/hyco', 'hyco?a=b']) {
      for (const rest of [[], ['t/o+k en='], ['token', 'an id'], [null, 'id']]) {
        assert.equal(
          hyco.createRelayListenUri(ns, path, ...rest),
          old.createRelayListenUri(ns, path, ...rest),
        )
        assert.equal(
          hyco.createRelaySendUri(ns, path, ...rest),
          old.createRelaySendUri(ns, path, ...rest),
        )
      }
      assert.equal(hyco.createRelayBaseUri(ns, path), old.createRelayBaseUri(ns, path))
      const uri = hyco.createRelaySendUri(ns, path)
      // A second may end between the two calls.
      const tokens = () => [hyco, old].map((by) => by.createRelayToken(uri, 'rule', 'key=', 60))
      assert.ok([tokens(), tokens()].some(([ours, theirs]) => ours === theirs))
    }
  })
})

describe('ws', TIMEOUT, () => {
  it('is left as it was', () => {
    const script = `
      const before = snapshot(require('ws'))
      const hyco = require('hyco-rs')
      const after = snapshot(require('ws'))
      require('node:assert/strict').deepEqual(after, before)
      require('node:assert/strict').notEqual(hyco, require('ws'))
      function snapshot(ws) {
        return [ws, ws.prototype, ws.WebSocketServer.prototype, ws.WebSocketServer].map((object) =>
          Object.entries(Object.getOwnPropertyDescriptors(object)).map(([name, descriptor]) =>
            [name, ...Object.values(descriptor)]))
      }
    `
    execFileSync(process.execPath, ['-e', script], { cwd: __dirname })
  })

  it('gives everything it exports to this package', () => {
    for (const name of Object.getOwnPropertyNames(WebSocket)) {
      if (['length', 'name', 'prototype', 'arguments', 'caller'].includes(name)) continue
      assert.ok(name in hyco, name)
      if (name !== 'WebSocket') assert.equal(hyco[name], WebSocket[name], name)
    }
    assert.equal(hyco.prototype, WebSocket.prototype)
  })

  it('shares instanceof with this package, for every kind of socket', async () => {
    const relay = await TestRelay.start({ hybridConnections: ['hyco'] })
    const local = new hyco.WebSocketServer({ port: 0, host: '127.0.0.1' })
    await once(local, 'listening')
    const server = hyco.createRelayedServer({
      server: relay.listenUri('hyco'),
      token: () => relay.token(),
    })
    await once(server, 'listening')
    const accepted = [once(local, 'connection'), once(server, 'connection')]
    const clients = [
      new hyco(`ws://127.0.0.1:${local.address().port}/`, null),
      hyco.relayedConnect(relay.sendUri('hyco'), relay.token()),
    ]
    const sockets = [...clients, ...(await Promise.all(accepted)).map(([socket]) => socket)]
    for (const socket of sockets) {
      assert.ok(socket instanceof hyco)
      assert.ok(socket instanceof WebSocket)
      assert.ok(socket instanceof hyco.WebSocket)
      assert.ok(socket instanceof WebSocket.WebSocket)
    }
    assert.ok(sockets[1] instanceof hyco.RelayedSocket)
    assert.ok(sockets[3] instanceof hyco.RelayedSocket)
    assert.ok(!(sockets[0] instanceof hyco.RelayedSocket))
    for (const socket of sockets) socket.on('error', () => {}).terminate()
    local.close()
    await new Promise((resolve) => server.close(resolve))
    await relay.close()
  })

  it('exports the same names to import and to require', () => {
    const script = `
      import * as names from 'hyco-rs'
      import { createRequire } from 'node:module'
      const required = createRequire(import.meta.url)('hyco-rs')
      const imported = Object.keys(names).filter((name) => name !== 'default').sort()
      const own = Object.keys(required).filter((name) => names[name] !== undefined).sort()
      console.log(JSON.stringify({
        same: imported.every((name) => names[name] === required[name]) && names.default === required,
        imported: imported.length, own: own.length,
      }))
    `
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
      cwd: __dirname,
      encoding: 'utf8',
    })
    const { same, imported, own } = JSON.parse(output)
    assert.ok(same)
    assert.equal(imported, own)
  })
})
