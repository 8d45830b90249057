'use strict'

const assert = require('node:assert/strict')
const { describe, it } = require('node:test')

const Listener = require('../lib/hub/listener')

/** A listener of a hub that counts what is open, and what holds the process. */
function listen() {
  const hub = { open: 0, holds: 0, forgotten: [], told: [], freed: [] }
  const native = new Proxy(
    {},
    {
      get:
        (_, verb) =>
        (...args) =>
          void hub.told.push([verb, ...args]),
    },
  )
  const events = []
  const listener = new Listener(
    7,
    {
      native,
      trust: { prepare: () => 3 },
      enter: () => hub.open++,
      leave: () => hub.open--,
      hold: () => hub.holds++,
      release: () => hub.holds--,
      reserve: (gateway) => ({ gateway, handle: 9 }),
      free: (link) => hub.freed.push(link),
      forget: (id) => hub.forgotten.push(id),
    },
    (event) => events.push(event.type),
  )
  return { hub, listener, events }
}

describe('a listener of the hub', { timeout: 60_000 }, () => {
  it('holds the process once, however often it is asked', () => {
    const { hub, listener } = listen()
    assert.deepEqual([hub.open, hub.holds], [1, 1])
    listener.ref()
    assert.equal(hub.holds, 1)
    listener.unref()
    listener.unref()
    assert.equal(hub.holds, 0)
    listener.ref()
    listener.ref()
    assert.deepEqual([hub.open, hub.holds], [1, 1])
  })

  it('is forgotten when it is closed, before that is told, and holds nothing any more', () => {
    for (const isHeld of [true, false]) {
      const { hub, listener, events } = listen()
      if (!isHeld) listener.unref()
      listener.on({ type: 'online' })
      assert.deepEqual(hub.forgotten, [])
      listener.on({ type: 'closed' })
      assert.deepEqual([hub.open, hub.holds], [0, 0])
      assert.deepEqual(hub.forgotten, [7])
      assert.deepEqual(hub.told, [['forgetListener', 7]])
      assert.deepEqual(events, ['online', 'closed'])
      listener.ref()
      listener.unref()
      assert.equal(hub.holds, 0)
    }
  })

  it('stays known while requests are passed on, also when it is closed', () => {
    const { hub, listener } = listen()
    listener.forward({ host: 'a', tls: {} }, {})
    listener.forward({ host: 'b' }, {})
    assert.deepEqual(hub.told, [
      ['forward', 7, { host: 'a', trust: 3 }, {}],
      ['forward', 7, { host: 'b', trust: 3 }, {}],
    ])
    assert.equal(hub.open, 2)
    listener.on({ type: 'closed' })
    assert.deepEqual([hub.open, hub.forgotten], [2, []])
    listener.unforward()
    assert.deepEqual([hub.open, hub.holds, hub.forgotten], [0, 0, [7]])
    listener.unforward()
    assert.deepEqual([hub.open, hub.forgotten], [0, [7]])
  })

  it('stays open when only its requests are no longer passed on', () => {
    const { hub, listener } = listen()
    listener.unforward()
    listener.forward({ host: 'a' }, {})
    listener.unforward()
    assert.deepEqual([hub.open, hub.holds, hub.forgotten], [1, 1, []])
  })

  it('leaves out what was not given with a token', () => {
    const { hub, listener } = listen()
    listener.provideToken(1, { token: 't', expiresOn: 2, refreshAfter: 3 })
    listener.provideToken(2, null, 'why')
    assert.deepEqual(hub.told, [
      ['provideToken', 7, 1, 't', undefined, 2, 3],
      ['provideToken', 7, 2, undefined, 'why', undefined, undefined],
    ])
  })

  it('reaches the native side by its number', () => {
    const { hub, listener } = listen()
    const verbs = {
      close: ['closeListener', []],
      stayDown: ['stayDown', [true]],
      decideReconnect: ['decideReconnect', [1, 250]],
      reject: ['reject', [1, 401, 'no']],
      upgrade: ['upgrade', [1, { id: 'a' }]],
      reportServed: ['reportServed', [true]],
      watchRequests: ['watchRequests', []],
      endRequests: ['endRequests', []],
      openRequests: ['openRequests', []],
      totalRequests: ['totalRequests', []],
    }
    for (const [verb, [name, given]] of Object.entries(verbs)) {
      listener[verb](...given)
      assert.deepEqual(hub.told.pop(), [name, 7, ...given])
    }
  })

  it('serves by a link, which it gives back', () => {
    const { hub, listener } = listen()
    const gateway = {}
    const link = listener.serve(gateway, { maxRequests: 5 })
    assert.equal(link.gateway, gateway)
    assert.deepEqual(hub.told, [['serve', 7, link.handle, { maxRequests: 5 }]])
    listener.unserve(link)
    assert.deepEqual(hub.freed, [link])
  })
})
