'use strict'

const assert = require('node:assert/strict')
const { subscribe, unsubscribe } = require('node:diagnostics_channel')
const { once } = require('node:events')
const { afterEach, describe, it } = require('node:test')

const WebSocket = require('ws')
const hyco = require('..')
const ScriptedRelay = require('./support/scripted-relay')
const TestRelay = require('./support/relay')
const { failed, until } = require('./support/watch')

const TIMEOUT = { timeout: 60_000 }

describe('the log of the native side', TIMEOUT, () => {
  const ending = []

  afterEach(async () => {
    while (ending.length > 0) await ending.pop()()
  })

  /** Writes down the lines from now on. */
  function read() {
    const lines = []
    const hear = (line) => lines.push(line)
    subscribe('hyco-rs:log', hear)
    ending.push(() => unsubscribe('hyco-rs:log', hear))
    return lines
  }

  /** A server at a relay that a test drives. */
  async function listen() {
    const relay = await ScriptedRelay.start()
    const server = new hyco.RelayedServer({ server: relay.listenUri, token: 'hush' })
    ending.push(
      () => relay.close(),
      () => server.close(),
    )
    await once(server, 'listening')
    return { relay, server }
  }

  it('tells about a server, with its id', async () => {
    const lines = read()
    const { relay, server } = await listen()
    relay.channel.send('{"accept": "nonsense"}')
    const isMalformed = ({ message }) => message === 'malformed command ignored'
    await until(() => lines.some(isMalformed), 'the line')
    const { fields, level, target, trackingId, ...line } = lines.find(isMalformed)
    assert.deepEqual([level, target], ['warn', 'hyco_client::control_channel'])
    assert.equal(line.server, server)
    assert.match(trackingId, /^[0-9a-f-]{36}$/)
    assert.ok(fields.error.length > 0)
    const online = lines.find(({ message }) => message === 'online')
    assert.deepEqual([online.level, online.server], ['info', server])
    assert.ok(!JSON.stringify(lines.map(({ fields }) => fields)).includes('hush'))
  })

  it('comes from the next event on after somebody subscribed, and only as long', async () => {
    const { relay, server } = await listen()
    const before = []
    relay.channel.send('nonsense')
    const lines = read()
    const connection = once(server, 'connection')
    const { socket } = await relay.announce()
    await connection
    assert.deepEqual(before, [])
    relay.channel.send('nonsense')
    await until(() => lines.some(({ level }) => level === 'warn'), 'the line')
    ending.pop()()
    const count = lines.length
    // The event after which nothing is told any more.
    const other = once(server, 'connection')
    const { socket: second } = await relay.announce()
    await other
    relay.channel.send('nonsense')
    const third = once(server, 'connection')
    const { socket: last } = await relay.announce()
    await third
    assert.equal(lines.length, count)
    for (const one of [socket, second, last]) one.terminate()
  })

  it('tells about a socket', async () => {
    const lines = read()
    const socket = hyco.relayedConnect('ws://127.0.0.1:1/$hc/hyco', 'hush')
    await failed(socket)
    const line = lines.find(({ message }) => message === 'address failed')
    assert.equal(line.socket, socket)
    assert.equal(line.level, 'debug')
    assert.equal(line.fields.address, '127.0.0.1:1')
  })

  it('tells about a local relay of the process', async () => {
    const lines = read()
    const relay = await TestRelay.start({ hybridConnections: ['hyco'] })
    ending.push(() => relay.close())
    const headers = { ServiceBusAuthorization: relay.token() }
    const channel = new WebSocket(relay.listenUri('hyco'), { headers })
    await once(channel, 'open')
    channel.send('nonsense')
    const isIgnored = ({ message }) => message === 'ignoring a message'
    await until(() => lines.some(isIgnored), 'the line')
    assert.equal(lines.find(isIgnored).relay, relay.emulator)
    channel.terminate()
  })
})

describe('metrics().prometheus()', TIMEOUT, () => {
  it('has each metric once, with help, type and a value for each path', async () => {
    const relay = await TestRelay.start({ hybridConnections: ['a', 'b"\\'] })
    const listen = async (path) => {
      const options = { connectionString: relay.emulator.connectionString, path }
      const server = new hyco.RelayedServer(options)
      await once(server, 'listening')
      return server
    }
    const servers = [await listen('a'), await listen('a'), await listen('b"\\')]
    const [first, ...others] = servers.map((server) => server.metrics())
    const text = first.prometheus(...others)
    assert.match(
      text,
      /^# HELP hyco_online .*\.\n# TYPE hyco_online gauge\nhyco_online\{path="a"\} 2\n/,
    )
    assert.match(text, /^hyco_online\{path="b\\"\\\\"\} 1$/m)
    assert.match(text, /^# TYPE hyco_accepted_total counter\nhyco_accepted_total\{path="a"\} 0$/m)
    assert.match(text, /^# TYPE hyco_active_requests gauge$/m)
    const types = text.match(/^# TYPE .*$/gm)
    assert.equal(new Set(types).size, types.length)
    assert.equal(types.length, 1 + Object.keys(first).length)
    assert.match(text, /\n$/)
    await servers[0].close()
    assert.match(servers[0].metrics().prometheus(), /^hyco_online\{path="a"\} 0$/m)
    assert.throws(() => first.prometheus({}), { name: 'TypeError', message: /metrics\(\)/ })
    await Promise.all(servers.map((server) => server.close()))
    await relay.close()
  })
})
