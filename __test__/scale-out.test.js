'use strict'

const assert = require('node:assert/strict')
const cluster = require('node:cluster')
const { once } = require('node:events')
const { join } = require('node:path')
const { describe, it } = require('node:test')
const { Worker } = require('node:worker_threads')

const hyco = require('..')
const TestRelay = require('./support/relay')
const { message, until } = require('./support/watch')

const PROGRAM = join(__dirname, 'programs', 'scale-out.js')

describe('several listeners of one hybrid connection', { timeout: 120_000 }, () => {
  it('share the senders, in one process, in a worker thread and in processes of a cluster', async (t) => {
    const relay = await TestRelay.start({ hybridConnections: ['hyco'] })
    const { connectionString } = relay.emulator
    const servers = ['first', 'second'].map((name) =>
      hyco.createRelayedServer({ connectionString, path: 'hyco' }, (socket) => socket.send(name)),
    )
    t.after(() => Promise.all([relay.close(), ...servers.map((server) => server.close())]))
    await Promise.all(servers.map((server) => once(server, 'listening')))

    const worker = new Worker(PROGRAM, { workerData: { name: 'worker', connectionString } })
    t.after(() => worker.terminate())
    await once(worker, 'message')
    cluster.setupPrimary({ exec: PROGRAM, execArgv: [] })
    const forks = ['fork 1', 'fork 2'].map((name) => cluster.fork({ name, connectionString }))
    t.after(() => forks.forEach((fork) => fork.kill()))
    await Promise.all(forks.map((fork) => once(fork, 'message')))
    assert.equal(relay.emulator.listeners().length, 5)

    const counts = {}
    for (let sender = 0; sender < 200; sender++) {
      const socket = hyco.relayedConnect(relay.sendUri('hyco'), relay.token())
      const { data } = await message(socket)
      counts[data] = (counts[data] ?? 0) + 1
      socket.terminate()
    }
    assert.deepEqual(Object.keys(counts).sort(), ['first', 'fork 1', 'fork 2', 'second', 'worker'])

    // One that ends leaves its share to the others.
    const exits = [once(worker, 'exit'), ...forks.map((fork) => once(fork, 'exit'))]
    worker.postMessage('end')
    for (const fork of forks) fork.send('end')
    for (const [code] of await Promise.all(exits)) assert.equal(code, 0)
    await servers[0].close()
    await until(() => relay.emulator.listeners().length === 1, 'the relay knows')
    const socket = hyco.relayedConnect(relay.sendUri('hyco'), relay.token())
    assert.equal(String((await message(socket)).data), 'second')
  })
})
