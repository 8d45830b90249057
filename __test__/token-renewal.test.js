'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { describe, it } = require('node:test')

const hyco = require('..')
const TestRelay = require('./support/relay')
const { failed, message, until } = require('./support/watch')

const TIMEOUT = { timeout: 300_000 }
/** Of a token that ends in the test: in whole seconds, of which the first may be nearly over. */
const LIFE = 5

/** Echoes what it gets. */
function echo(socket) {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
}

describe('a token', TIMEOUT, () => {
  // The relay closes the channel this long after the end of a token that is not renewed.
  const relayOptions = { hybridConnections: ['hyco'], renewalGrace: 2000 }

  it('is renewed before it ends, and the control channel stays', async () => {
    const relay = await TestRelay.start(relayOptions)
    let asked = 0
    const server = new hyco.RelayedServer({
      server: relay.listenUri('hyco'),
      token: () => {
        asked++
        return relay.token(LIFE)
      },
    })
    const events = []
    for (const name of ['listening', 'offline', 'error']) {
      server.on(name, () => events.push(name))
    }
    server.on('connection', echo)
    await once(server, 'listening')
    await until(() => asked >= 4, 'three renewals')
    assert.deepEqual(events, ['listening'])
    const sender = hyco.relayedConnect(relay.sendUri('hyco'), relay.token())
    await once(sender, 'open')
    sender.send('still here')
    assert.equal(String((await message(sender)).data), 'still here')
    sender.terminate()
    await new Promise((resolve) => server.close(resolve))
    await relay.close()
  })

  it('that ends and cannot be renewed ends the control channel, not the sockets', async () => {
    const relay = await TestRelay.start(relayOptions)
    const server = new hyco.RelayedServer({
      server: relay.listenUri('hyco'),
      token: relay.token(LIFE),
      reconnect: false,
    })
    server.on('error', () => {})
    server.on('connection', echo)
    await once(server, 'listening')
    const sender = hyco.relayedConnect(relay.sendUri('hyco'), relay.token(LIFE))
    await once(sender, 'open')
    await once(server, 'offline')
    sender.send('still here')
    assert.equal(String((await message(sender)).data), 'still here')
    sender.terminate()
    await new Promise((resolve) => server.close(resolve))
    await relay.close()
  })

  it('that has ended opens nothing', async () => {
    const relay = await TestRelay.start(relayOptions)
    const token = relay.token(-1)
    const { error } = await failed(hyco.relayedConnect(relay.sendUri('hyco'), token))
    assert.equal(error.statusCode, 401)
    const server = new hyco.RelayedServer({ server: relay.listenUri('hyco'), token })
    const errors = []
    server.on('error', (error) => errors.push(error)) // a second try may fail before it is closed
    await until(() => errors.length > 0, 'the refusal')
    assert.equal(errors[0].statusCode, 401)
    await new Promise((resolve) => server.close(resolve))
    await relay.close()
  })
})
