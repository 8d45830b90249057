'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { after, before, describe, it } = require('node:test')
const { setTimeout: sleep } = require('node:timers/promises')

const hyco = require('..')
const TestRelay = require('./support/relay')
const Way = require('./support/way')
const { failed, message } = require('./support/watch')

const TIMEOUT = { timeout: 300_000 }
const INTERVAL = 300
/** For sockets that are to live: a machine that stands still for a while must not end them. */
const PATIENT = 2_000

describe('keepAliveInterval on relayed sockets', TIMEOUT, () => {
  let relay
  let server
  const ways = []
  let way

  before(async () => {
    relay = await TestRelay.start({ hybridConnections: ['hyco'] })
    server = hyco.createRelayedServer(
      { server: relay.listenUri('hyco'), token: relay.token() },
      (socket) => socket.on('message', (data) => socket.send(data)),
    )
    await once(server, 'listening')
  })

  after(async () => {
    await Promise.all(ways.map((way) => way.close()))
    await server.close()
    await relay.close()
  })

  /** Connects over a new way; `lost` is how it ends, however early that is. */
  async function connect(options) {
    way = new Way(Number(new URL(relay.listenUri('hyco')).port))
    ways.push(way)
    await way.open()
    const address = way.lead(relay.sendUri('hyco'))
    const socket = hyco.relayedConnect(address, relay.token(), options)
    const lost = failed(socket)
    await once(socket, 'open')
    return { socket, lost }
  }

  it('ends a socket whose other end is gone without a word, with 1006 and a code', async () => {
    // Before anything was heard: a slow machine may hear the last long before the test goes on.
    const started = performance.now()
    const { lost } = await connect({ keepAliveInterval: INTERVAL })
    way.swallows = true
    const { error, code } = await lost
    assert.equal(error.code, 'HYCO_ERR_CONNECTION_LOST')
    assert.match(error.message, /nothing was heard/)
    assert.equal(code, 1006)
    assert.ok(performance.now() - started > INTERVAL * 1.7)
  })

  it('lets sockets live: one that is quiet and answers, and one that does not read', async () => {
    const { socket: quiet } = await connect({ keepAliveInterval: PATIENT })
    const { socket: paused } = await connect({ keepAliveInterval: PATIENT })
    paused.pause()
    paused.send('later')
    await sleep(PATIENT * 3)
    assert.equal(quiet.readyState, hyco.OPEN)
    quiet.send('still here')
    assert.equal(String((await message(quiet)).data), 'still here')
    paused.resume()
    assert.equal(String((await message(paused)).data), 'later')
    quiet.terminate()
    paused.terminate()
  })

  it('is off with 0', async () => {
    const { socket } = await connect({ keepAliveInterval: 0 })
    way.swallows = true
    await sleep(INTERVAL * 5)
    assert.equal(socket.readyState, hyco.OPEN)
    socket.terminate()
  })
})
