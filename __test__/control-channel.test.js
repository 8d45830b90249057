'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { describe, it } = require('node:test')
const { inspect } = require('node:util')

const hyco = require('..')
const ScriptedRelay = require('./support/scripted-relay')
const { until } = require('./support/watch')

const TIMEOUT = { timeout: 300_000 }

describe('server.controlChannel', TIMEOUT, () => {
  it('shows the state of the control channel and its events', async () => {
    const relay = await ScriptedRelay.start()
    const server = new hyco.RelayedServer({
      server: relay.listenUri,
      token: 'any',
      reconnect: { delays: [10], jitter: 0 },
    })
    const { controlChannel } = server
    assert.equal(controlChannel.readyState, controlChannel.CONNECTING)
    const events = []
    for (const name of ['open', 'error', 'close']) {
      controlChannel.on(name, (given) => {
        events.push({ open: name, error: given?.code, close: given }[name])
      })
    }
    await until(() => events.length === 1, 'open')
    assert.equal(controlChannel.readyState, hyco.OPEN)
    relay.channel.close(4000, 'moved')
    await until(() => events.length === 4, 'open again')
    await server.close()
    await until(() => events.length === 5, 'the end')
    assert.deepEqual(events, ['open', 'HYCO_ERR_CONNECTION_LOST', 4000, 'open', 1000])
    assert.equal(controlChannel.readyState, hyco.CLOSED)
    await relay.close()
  })

  it("emits 'close' although a listener for its 'error' throws", async () => {
    const relay = await ScriptedRelay.start()
    const server = new hyco.RelayedServer({ server: relay.listenUri, token: 'any' })
    await once(server, 'listening')
    server.controlChannel.on('error', () => {
      throw new Error('thrown by a listener')
    })
    const closed = once(server.controlChannel, 'close', { signal: AbortSignal.timeout(60_000) })
    closed.catch(() => {})
    const errors = []
    process.setUncaughtExceptionCaptureCallback((error) => errors.push(error.message))
    try {
      relay.channel.close(4000, 'moved')
      await once(server, 'offline')
      await server.close()
    } finally {
      process.setUncaughtExceptionCaptureCallback(null)
    }
    assert.deepEqual(errors, ['thrown by a listener'])
    assert.equal((await closed)[0], 4000)
    await relay.close()
  })
})

describe('a server that was lost and is back while the program was busy', TIMEOUT, () => {
  it("tells 'offline' and 'online' one after the other, so that one can wait for each", async () => {
    const relay = await hyco.startRelayEmulator()
    const server = new hyco.RelayedServer({
      connectionString: `${relay.connectionString};EntityPath=hyco`,
      reconnect: { delays: [1], jitter: 0 },
    })
    await once(server, 'listening')
    const lost = once(server, 'offline')
    relay.setFault({ kind: 'drop', on: 'control', count: 1 })
    // Relay and I/O thread go on: what they have to tell waits for the event loop.
    const start = performance.now()
    while (relay.journal().filter(({ action }) => action === 'listen').length < 2) {
      assert.ok(performance.now() - start < 30_000, 'the server does not come back')
    }
    await lost
    await once(server, 'online')
    assert.equal(server.status, 'online')
    await server.close()
    await relay.close()
  })
})

describe('a server that is printed', TIMEOUT, () => {
  it('shows its true state in a few lines, and no secret', async () => {
    const relay = await ScriptedRelay.start()
    const server = new hyco.RelayedServer({
      server: new URL(`${relay.listenUri}&sb-hc-token=hush`),
      token: 'top-secret',
    })
    const print = () => inspect(server) + JSON.stringify(server) + inspect({ deep: { server } })
    assert.match(print(), /RelayedServer \{[^]*status: 'connecting'/)
    await new Promise((resolve) => server.once('listening', resolve))
    assert.match(inspect(server), /status: 'online'/)
    assert.ok(inspect(server).split('\n').length < 20)
    for (const secret of ['hush', 'top-secret']) assert.ok(!print().includes(secret), secret)
    assert.equal(String(server.options.server).includes('hush'), true)
    await server.close()
    assert.match(inspect(server), /status: 'closed'/)
    await relay.close()
  })
})
