'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { after, before, describe, it } = require('node:test')
const { setTimeout: sleep } = require('node:timers/promises')

const hyco = require('..')
const Cli = require('./support/cli')
const Program = require('./support/children')
const TestRelay = require('./support/relay')
const { message, until } = require('./support/watch')

const TIMEOUT = { timeout: 300_000 }
const KILLS = 100

/** The states that a server went through, as it told. */
function states(server) {
  const told = []
  for (const name of ['connecting', 'online', 'offline']) server.on(name, () => told.push(name))
  return told
}

/** Whether a socket still carries messages both ways. */
async function echoes(socket, text) {
  const answer = message(socket)
  socket.send(text)
  assert.equal(String((await answer).data), text)
}

describe('a server whose relay fails', TIMEOUT, () => {
  let relay
  let local

  before(async () => {
    relay = await TestRelay.start({
      hybridConnections: ['hyco'],
      rules: [{ keyName: 'all', key: 'k' }],
    })
    local = relay.emulator
  })

  after(() => relay.close())

  /** A server that echoes, its sockets and senders counted. */
  async function listen(options) {
    const server = new hyco.RelayedServer({
      server: relay.listenUri('hyco'),
      keyName: 'all',
      key: 'k',
      reconnect: { delays: [0, 10], jitter: 0 },
      ...options,
    })
    server.on('error', () => {})
    server.on('connection', (socket) => {
      socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
    })
    await once(server, 'listening')
    return server
  }

  const connect = async () => {
    const socket = hyco.relayedConnect(relay.sendUri('hyco'), { keyName: 'all', key: 'k' })
    await once(socket, 'open')
    return socket
  }

  it(`loses no socket when its control channel is killed ${KILLS} times under load`, async () => {
    const server = await listen()
    const told = states(server)
    const senders = []
    let load = true
    let carried = 0
    const talk = async (socket) => {
      while (load) {
        await echoes(socket, `message ${carried++}`)
        await new Promise(setImmediate)
      }
    }
    const talking = []
    for (let kill = 0; kill < KILLS; kill++) {
      await until(() => server.status === 'online', `the return after ${kill} kills`)
      const socket = await connect()
      senders.push(socket)
      if (talking.length < 5) talking.push(talk(socket))
      await until(() => local.listeners().length === 1, `one channel after ${kill} kills`)
      const [channel] = local.listeners()
      const lost = once(server, 'offline')
      channel.drop()
      await lost
    }
    await until(() => server.status === 'online', 'the last return')
    load = false
    await Promise.all(talking)

    assert.deepEqual(told.slice(0, 3), ['offline', 'connecting', 'online'])
    assert.equal(told.length, 3 * KILLS)
    assert.equal(server.metrics().reconnects, KILLS)
    assert.equal(local.listeners().length, 1)
    assert.ok(carried >= 5, String(carried))
    for (const [number, socket] of senders.entries()) await echoes(socket, `still there ${number}`)
    // The last sender may have been open before the server had accepted it.
    assert.equal(server.metrics().accepted, KILLS)
    assert.equal(server.clients.size, KILLS)
    await server.close()
  })

  it('outlives a short black hole, with its channel and its sockets', async () => {
    const server = await listen({ keepAliveInterval: 15_000 })
    const told = states(server)
    const socket = await connect()
    for (const on of ['control', 'connection']) local.setFault({ kind: 'blackHole', on })
    await new Promise((resolve) => setTimeout(resolve, 500))
    local.clearFaults()
    await echoes(socket, 'after the hole')
    assert.deepEqual(told, [])
    await server.close()
  })

  it('notices a black hole that is longer, and returns when it ends', async () => {
    const server = await listen({ keepAliveInterval: 2_500 })
    const socket = await connect()
    const lost = once(server, 'offline')
    local.setFault({ kind: 'blackHole', on: 'control' })
    const [{ error, final }] = await lost
    assert.equal(error.code, 'HYCO_ERR_CONNECTION_LOST')
    assert.equal(error.closeCode, 1006)
    assert.match(error.message, /no sign of life/)
    assert.equal(final, false)
    await echoes(socket, 'beside the hole')
    local.clearFaults()
    await until(() => server.status === 'online', 'the return')
    await until(() => local.listeners().length === 1, 'the lost channel is gone at the relay')
    await echoes(socket, 'after the hole')
    await server.close()
  })

  it('asks for a fresh token when the one it has ends during an outage', async () => {
    let asked = 0
    const given = []
    const server = await listen({
      keyName: undefined,
      key: undefined,
      token: () => {
        asked++
        // The first ends in a moment, the next is good. It lives for up to a second less.
        const life = asked === 1 ? 8 : 3600
        given.push(hyco.createRelayToken(relay.sendUri(''), 'all', 'k', life))
        return given.at(-1)
      },
    })
    const socket = await connect()
    local.setFault({ kind: 'refuse', action: 'listen', status: 503 })
    const lost = once(server, 'offline')
    local.listeners()[0].drop()
    await lost
    // Until the first token has ended the relay takes nothing.
    const end = Number(/se=(\d+)/.exec(given[0])[1]) * 1000
    await until(() => Date.now() > end, 'the end of the first token')
    local.clearFaults()
    await until(() => server.status === 'online', 'the return')
    assert.ok(asked >= 2, String(asked))
    await echoes(socket, 'after the outage')
    await server.close()
  })

  for (const code of [1000, 1001, 1008, 1011, 4000]) {
    it(`returns after its channel was closed with ${code}, and tells the code`, async () => {
      const server = await listen()
      const socket = await connect()
      const lost = once(server, 'offline')
      local.listeners()[0].close(code, 'because')
      const [{ error, final }] = await lost
      assert.deepEqual([error.closeCode, error.reason, final], [code, 'because', false])
      await until(() => server.status === 'online', 'the return')
      await echoes(socket, `after ${code}`)
      await server.close()
    })
  }
})

describe('a relay whose process stands still', { skip: Cli.unfit, ...TIMEOUT }, () => {
  it('is given up after two intervals, and met again when it goes on', async () => {
    const cli = new Cli(['emulator', '--port', '0', '--json', '--no-tls'])
    try {
      const [line] = await cli.says(/^\{.*"listening".*\}$/m)
      const [{ connectionString }] = JSON.parse(line).hybridConnections
      const server = new hyco.RelayedServer({
        connectionString,
        keepAliveInterval: 1_000,
        openTimeout: 2_000,
        reconnect: { delays: [10], jitter: 0 },
      })
      const told = states(server)
      server.on('error', () => {})
      await once(server, 'listening')
      const lost = once(server, 'offline')
      cli.child.kill('SIGSTOP')
      const [{ error }] = await lost
      assert.match(error.message, /no sign of life/)
      cli.child.kill('SIGCONT')
      await until(() => server.status === 'online', 'the return')
      assert.equal(told.at(-1), 'online')
      await server.close()
    } finally {
      cli.child.kill('SIGCONT')
      await cli.end()
    }
  })
})

describe('a listener whose process stands still', { skip: Cli.unfit, ...TIMEOUT }, () => {
  it('listens by one channel when it goes on, however long that was', async () => {
    const relay = await TestRelay.start({ hybridConnections: ['hyco'] })
    const env = { URI: relay.listenUri('hyco'), TOKEN: relay.token(), KEEP_ALIVE: '300' }
    const listener = new Program('lifecycle/listen', { env })
    try {
      await listener.says('listening')
      for (const standstill of [500, 1_500]) {
        listener.child.kill('SIGSTOP')
        await sleep(standstill)
        listener.child.kill('SIGCONT')
        // It may have to find out that its channel is gone, and to open another one.
        let socket
        let isOpen = false
        while (!isOpen) {
          socket = hyco.relayedConnect(relay.sendUri('hyco'), relay.token())
          isOpen = await new Promise((resolve) => {
            socket.once('open', () => resolve(true)).once('error', () => resolve(false))
          })
          if (!isOpen) await sleep(10)
        }
        await echoes(socket, `after ${standstill} ms`)
        socket.terminate()
        await until(() => relay.emulator.listeners().length === 1, 'one channel')
      }
      listener.tell('close')
      assert.deepEqual(await listener.exited, { code: 0, signal: null })
    } finally {
      listener.child.kill('SIGCONT')
      await listener.end()
      await relay.close()
    }
  })
})
