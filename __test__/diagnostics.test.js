'use strict'

const assert = require('node:assert/strict')
const { subscribe, unsubscribe } = require('node:diagnostics_channel')
const { once } = require('node:events')
const { describe, it } = require('node:test')

const hyco = require('..')
const { NAMES, publish, wanted } = require('../lib/diagnostics')
const Program = require('./support/children')
const ScriptedRelay = require('./support/scripted-relay')
const { until } = require('./support/watch')

const TIMEOUT = { timeout: 300_000 }

/** Writes down what is published on some channels. */
function listen(names) {
  const told = []
  const subscriptions = names.map((name) => {
    const hear = (message) => told.push({ name, ...message })
    subscribe(`hyco-rs:${name}`, hear)
    return () => unsubscribe(`hyco-rs:${name}`, hear)
  })
  return { told, stop: () => subscriptions.forEach((end) => end()) }
}

describe('diagnostics channels', TIMEOUT, () => {
  it('tell the life of a listener, its senders and their sockets', async () => {
    const relay = await ScriptedRelay.start()
    const { told, stop } = listen(NAMES.filter((name) => name !== 'log'))
    const server = new hyco.RelayedServer({
      server: relay.listenUri,
      token: 'any',
      id: 'the-listener',
      reconnect: { delays: [5], jitter: 0 },
      verifyClient: ({ req }, decide) => decide(req.headers['x-let-in'] === 'yes', 403, 'No'),
    })
    await once(server, 'listening')
    await relay.announce({})
    const { socket, url } = await relay.announce({ 'X-Let-In': 'yes' })
    await until(() => server.clients.size === 1, 'the socket')
    const id = url.searchParams.get('sb-hc-id')
    const [client] = server.clients
    socket.close(4001, 'bye')
    await until(() => server.clients.size === 0, 'the end of the socket')
    relay.channel.terminate()
    await new Promise((resolve) => server.once('listening', resolve))
    await server.close()
    stop()
    await relay.close()

    const names = told.map(({ name }) => name)
    assert.deepEqual(names, [
      'listener:connecting',
      'listener:online',
      'accept:asked',
      'accept:rejected',
      'accept:asked',
      'socket:open',
      'accept:accepted',
      'socket:close',
      'listener:offline',
      'listener:connecting',
      'listener:online',
      'listener:closed',
    ])
    const of = (name) => told.findLast((message) => message.name === name)
    assert.ok(told.every((message) => message.server === server || message.socket === client))
    assert.deepEqual([of('accept:rejected').statusCode, of('accept:rejected').reason], [403, 'No'])
    assert.equal(of('accept:asked').request.headers['x-let-in'], 'yes')
    for (const name of ['accept:asked', 'accept:accepted', 'socket:open', 'socket:close']) {
      assert.equal(of(name).trackingId, id, name)
    }
    assert.equal(of('accept:accepted').socket, client)
    for (const name of ['socket:open', 'socket:close']) assert.equal(of(name).server, server)
    assert.deepEqual([of('socket:close').code, of('socket:close').reason], [4001, 'bye'])
    assert.equal(of('listener:offline').error.code, 'HYCO_ERR_CONNECTION_LOST')
    assert.equal(of('listener:offline').final, false)
    assert.equal(of('listener:connecting').attempt, 1)
    for (const { name, trackingId } of told.filter(({ name }) => name.startsWith('listener:'))) {
      assert.equal(trackingId, 'the-listener', name)
    }
  })

  it('tell a sender that could not be met; one that has left is counted and no error', async () => {
    const relay = await ScriptedRelay.start()
    const { told, stop } = listen(['accept:failed'])
    const server = new hyco.RelayedServer({ server: relay.listenUri, token: 'any' })
    const errors = []
    server.on('acceptError', (error) => errors.push(error))
    await once(server, 'listening')
    relay.refusesAccepts = [404, 'Gone']
    await relay.announce()
    await until(() => server.metrics().abandoned === 1, 'the sender is counted')
    assert.deepEqual(errors, [])
    assert.equal(server.metrics().failed, 0)
    assert.equal(told[0].error.code, 'HYCO_ERR_SENDER_GONE')
    relay.refusesAccepts = [500, 'Broken']
    await relay.announce()
    await until(() => server.metrics().failed === 1, 'the failure is counted')
    assert.equal(errors.length, 1)
    assert.equal(server.metrics().abandoned, 1)
    stop()
    await server.close()
    await relay.close()
  })

  it('build nothing while nobody subscribes', () => {
    for (const name of NAMES) assert.equal(wanted(name), false, name)
    const { told, stop } = listen(['socket:open'])
    assert.equal(wanted('socket:open'), true)
    publish('socket:open', { trackingId: 'a' })
    assert.deepEqual(told, [{ name: 'socket:open', trackingId: 'a' }])
    stop()
    assert.equal(wanted('socket:open'), false)
  })
})

describe('NODE_DEBUG=hyco-rs', TIMEOUT, () => {
  it('prints readable lines without secrets', async () => {
    const program = new Program('debugged', { env: { NODE_DEBUG: 'hyco-rs' } })
    await program.exited
    assert.match(program.output, /HYCO-RS \d+: listener:connecting path=hyco attempt=1/)
    assert.match(program.output, /HYCO-RS \d+: listener:online path=hyco/)
    assert.match(program.output, /HYCO-RS \d+: accept:accepted path=hyco trackingId=[0-9a-f-]{36}/)
    assert.match(program.output, /HYCO-RS \d+: socket:close url=.* code=1000/)
    assert.match(program.output, /HYCO-RS \d+: listener:closed path=hyco/)
    const line =
      /HYCO-RS \d+: log warn client::control_channel: malformed command ignored path=hyco/
    assert.match(program.output, line)
    assert.ok(!program.output.includes('hush'), program.output)
  })
})
