'use strict'

// Where sockets live when the rule decides, which is the default: those that are quiet on the event
// loop, the others with the I/O thread.

delete process.env.HYCO_RS_HOMES

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { after, afterEach, before, describe, it } = require('node:test')
const { WebSocketServer } = require('ws')
const { relayedConnect } = require('..')
const hub = require('../lib/hub/hub').current()

const TIMEOUT = { timeout: 300_000 }

/** Only Node on these systems lends its loop. */
const lent = !process.versions.bun && !process.versions.deno && process.platform !== 'win32'

describe('the home of a socket', TIMEOUT, () => {
  let server
  let url
  const sockets = []

  before(async () => {
    server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
    server.on('connection', (peer) => peer.on('message', (data) => peer.send(data)))
    await once(server, 'listening')
    url = `ws://127.0.0.1:${server.address().port}`
  })

  afterEach(async () => {
    const ended = sockets.splice(0).map((socket) => {
      socket.terminate()
      return once(socket, 'close')
    })
    await Promise.all(ended)
    assert.equal(hub.onLoop, 0)
  })

  after(async () => {
    for (const peer of server.clients) peer.terminate()
    await new Promise((resolve) => server.close(resolve))
  })

  const connect = async (count) => {
    const opened = Array.from({ length: count }, async () => {
      const socket = relayedConnect(url, null)
      sockets.push(socket)
      await once(socket, 'open')
      return socket
    })
    return Promise.all(opened)
  }

  /** One message at a time. */
  const talk = async (socket, count, data = 'hello') => {
    for (let i = 0; i < count; i++) {
      socket.send(data)
      await once(socket, 'message')
    }
  }

  /** Lone messages until the socket lives on the loop, where there is one: a busy machine delays that. */
  const settle = async (socket) => {
    const before = hub.onLoop
    while (lent && hub.onLoop === before) await talk(socket, 1)
  }

  it('is the loop after some lone messages', TIMEOUT, async () => {
    const [socket] = await connect(1)
    assert.equal(hub.onLoop, 0)
    await settle(socket)
    assert.equal(hub.onLoop, lent ? 1 : 0)
    await talk(socket, 50)
  })

  it('stays with the thread as long as nothing comes', TIMEOUT, async () => {
    const all = await connect(200)
    await talk(all[0], 1)
    for (const socket of all.slice(0, 3)) await settle(socket)
    assert.equal(hub.onLoop, lent ? 3 : 0)
  })

  it('is the thread while much is sent', TIMEOUT, async () => {
    const [socket] = await connect(1)
    await settle(socket)
    await talk(socket, 1, Buffer.alloc(100_000))
    assert.equal(hub.onLoop, 0)
    await settle(socket)
  })

  it('is the thread while much comes', TIMEOUT, async () => {
    const [socket] = await connect(1)
    await settle(socket)
    const [peer] = server.clients
    const data = Buffer.alloc(60_000)
    let came = 0
    socket.on('message', () => came++)
    let sent = 0
    while (hub.onLoop > 0) {
      for (let i = 0; i < 10; i++, sent++) peer.send(data)
      while (came < sent) await once(socket, 'message')
    }
    assert.equal(came, sent)
    await settle(socket)
  })
})
