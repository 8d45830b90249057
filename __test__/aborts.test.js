'use strict'

const assert = require('node:assert/strict')
const { getEventListeners, once } = require('node:events')
const { describe, it } = require('node:test')

const hyco = require('..')
const { onAbort } = require('../lib/aborts')
const { startRelayKit } = require('../testing')
const { closed } = require('./support/watch')

const TIMEOUT = { timeout: 300_000 }

describe('an AbortSignal that many wait for', TIMEOUT, () => {
  it('ends all sockets and servers, without a warning of a leak, and keeps nothing', async (t) => {
    const warnings = []
    const warn = ({ message }) => warnings.push(message)
    process.on('warning', warn)
    t.after(() => process.off('warning', warn))
    const kit = await startRelayKit(t)
    const { signal, abort } = controller()

    const connects = Array.from({ length: 20 }, () => kit.connect({ signal }))
    const senders = await Promise.all(connects)
    const connectionString = kit.relay.connectionString
    const servers = senders.map(() => {
      return new hyco.RelayedServer({ connectionString, path: kit.path, signal })
    })
    await Promise.all(servers.map((server) => once(server, 'listening')))
    const [first, ...others] = senders
    const left = closed(first)
    first.close()
    await left

    const ends = [...others.map(closed), ...servers.map((server) => once(server, 'close'))]
    abort()
    await Promise.all(ends)
    assert.equal(getEventListeners(signal, 'abort').length, 0)
    assert.deepEqual(warnings, [])
  })

  it('has one listener as long as somebody waits', () => {
    const { signal, abort } = controller()
    const done = []
    const forget = ['a', 'b', 'c'].map((name) => onAbort(signal, () => done.push(name)))
    assert.equal(getEventListeners(signal, 'abort').length, 1)
    forget[0]()
    forget[0]()
    assert.equal(getEventListeners(signal, 'abort').length, 1)
    forget[1]()
    forget[2]()
    assert.equal(getEventListeners(signal, 'abort').length, 0)
    const again = onAbort(signal, () => done.push('again'))
    abort()
    again()
    assert.deepEqual(done, ['again'])
    assert.equal(getEventListeners(signal, 'abort').length, 0)
  })

  it('tells of one that throws, and ends the others all the same', async () => {
    const { signal, abort } = controller()
    const done = []
    onAbort(signal, () => {
      throw new Error('thrown by the first')
    })
    onAbort(signal, () => done.push('second'))
    const listeners = process.rawListeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    const thrown = once(process, 'uncaughtException')
    abort()
    assert.deepEqual(done, ['second'])
    const [error] = await thrown
    for (const listener of listeners) process.on('uncaughtException', listener)
    assert.equal(error.message, 'thrown by the first')
  })
})

function controller() {
  const made = new AbortController()
  return { signal: made.signal, abort: () => made.abort() }
}
