'use strict'

// Small versions of bench/crowd.js: that nothing is left behind, whatever the number.

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { readdirSync } = require('node:fs')
const { after, before, describe, it } = require('node:test')

const hyco = require('..')
const { until } = require('./support/watch')

/** Beside a compiler it takes its time. */
const PATIENCE = 60_000

describe('the local relay with many connections', { timeout: 300_000 }, () => {
  let relay
  let server
  let connectionString

  before(async () => {
    relay = await hyco.startRelayEmulator()
    connectionString = `${relay.connectionString};EntityPath=hyco`
    server = hyco.createRelayedServer({ connectionString }, (socket) => {
      socket.on('message', (data) => socket.send(data))
    })
    await once(server, 'listening')
  })

  after(async () => {
    await server.close()
    await relay.close()
  })

  async function open() {
    const sender = hyco.relayedConnect(null, null, { connectionString })
    await once(sender, 'open')
    return sender
  }

  async function echo(sender, text) {
    const answer = once(sender, 'message')
    sender.send(text)
    const [data] = await answer
    assert.equal(String(data), text)
  }

  async function close(sender) {
    const closed = once(sender, 'close')
    sender.close()
    await closed
  }

  it('relays 300 at a time, each with its own messages, and knows of none afterwards', async () => {
    const senders = []
    for (let n = 0; n < 300; n += 50) {
      senders.push(...(await Promise.all(Array.from({ length: 50 }, open))))
    }
    // A sender is open a moment before the relay counts the pair.
    await until(() => relay.connections().length === 300, 'all pairs', PATIENCE)
    await Promise.all(senders.map((sender, n) => echo(sender, `message ${n}`)))
    await until(
      () => relay.connections().every(({ toSender }) => toSender.messages === 1),
      'the counts',
      PATIENCE,
    )
    await Promise.all(senders.map(close))
    await until(() => relay.connections().length === 0, 'the end of all', PATIENCE)
    assert.match(relay.metrics(), /^hyco_relay_connections_total 300$/m)
  })

  it('keeps nothing of 1,000 short ones: no connection, no sender, no file', async () => {
    const files = () => (process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0)
    await close(await open())
    const before = files()
    let left = 1000
    const worker = async () => {
      while (left-- > 0) {
        const sender = await open()
        await echo(sender, 'short')
        await close(sender)
      }
    }
    await Promise.all(Array.from({ length: 20 }, worker))
    await until(() => relay.connections().length === 0, 'the end of all', PATIENCE)
    assert.deepEqual([relay.pending(), relay.requests()], [[], []])
    await until(() => files() <= before + 5, 'the files', PATIENCE)
    assert.equal(relay.listeners().length, 1)
  })
})
