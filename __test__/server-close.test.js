'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { after, before, describe, it } = require('node:test')

const hyco = require('..')
const TestRelay = require('./support/relay')
const { closed, failed, until } = require('./support/watch')

const TIMEOUT = { timeout: 300_000 }

let relay

before(async () => {
  relay = await TestRelay.start({
    hybridConnections: [
      { path: 'hyco', requiresClientAuthorization: false },
      // Where no listener of another test can still be known to the relay.
      { path: 'waiting', requiresClientAuthorization: false },
      { path: 'met', requiresClientAuthorization: false },
    ],
  })
})

after(() => relay.close())

/** A server, not yet listening. */
function create(options) {
  return new hyco.RelayedServer({
    server: relay.listenUri('hyco'),
    token: relay.token(),
    ...options,
  })
}

async function close(server) {
  await new Promise((resolve) => server.close(resolve))
}

describe('close', TIMEOUT, () => {
  const connected = async (server) => {
    const sender = hyco.relayedConnect(relay.sendUri('hyco'))
    const [[socket]] = await Promise.all([once(server, 'connection'), once(sender, 'open')])
    return { sender, socket }
  }

  it('closes the clients with 1000, and calls back when all is down', async () => {
    const server = create()
    await once(server, 'listening')
    const { sender, socket } = await connected(server)
    const order = []
    socket.on('close', (code) => order.push(`client ${code}`))
    server.on('close', () => order.push('close'))
    const ended = closed(sender)
    await new Promise((resolve) => {
      server.close((...args) => {
        order.push(`callback ${args.length}`)
        resolve()
      })
      assert.equal(server.closeRequested, true)
      assert.equal(server.status, 'closing')
    })
    assert.equal((await ended).code, 1000)
    await until(() => order.includes('close'), 'the close event')
    assert.deepEqual(order, ['client 1000', 'callback 0', 'close'])
  })

  it('may be called again, before and after, with a callback each time', async () => {
    const server = create()
    const closes = []
    server.on('close', () => closes.push('close'))
    await Promise.all([close(server), close(server)])
    await close(server)
    server.close()
    assert.deepEqual(closes, ['close'])
    assert.throws(() => server.close('later'), TypeError)
  })

  it('works while connecting, and from within any listener', async () => {
    const early = create()
    let listened = false
    early.on('listening', () => (listened = true))
    await close(early)
    assert.ok(!listened)

    for (const name of ['connecting', 'online', 'listening']) {
      const server = create()
      server.once(name, () => server.close())
      await once(server, 'close')
    }

    const server = create({ server: relay.listenUri('met') })
    server.once('connection', () => server.close())
    await once(server, 'listening')
    const sender = hyco.relayedConnect(relay.sendUri('met'))
    const ended = closed(sender)
    await once(server, 'close')
    assert.equal((await ended).code, 1000)
  })

  it('ends although a program has removed every listener of a socket', async () => {
    const server = create()
    await once(server, 'listening')
    const { sender, socket } = await connected(server)
    socket.removeAllListeners()
    const gone = closed(sender)
    socket.terminate()
    await gone
    await until(() => server.metrics().active === 0, 'the socket has left')
    assert.equal(server.clients.size, 0)
    const other = await connected(server)
    other.socket.removeAllListeners()
    await close(server)
  })

  it("ends although the first 'close' listener of a socket throws", async () => {
    const server = create()
    await once(server, 'listening')
    const { socket } = await connected(server)
    socket.prependListener('close', () => {
      throw new Error('thrown by a listener')
    })
    const errors = []
    process.setUncaughtExceptionCaptureCallback((error) => errors.push(error.message))
    try {
      await close(server)
    } finally {
      process.setUncaughtExceptionCaptureCallback(null)
    }
    assert.deepEqual(errors, ['thrown by a listener'])
  })

  it('leaves a sender that waits for a decision without a listener', async () => {
    const server = create({
      server: relay.listenUri('waiting'),
      verifyClient: () => new Promise(() => {}),
    })
    await once(server, 'listening')
    const sender = hyco.relayedConnect(relay.sendUri('waiting'))
    await until(() => server.metrics().pending === 1, 'the sender asks')
    const ended = failed(sender)
    await close(server)
    assert.equal((await ended).code, 1006)
  })

  it('is what a signal does', async () => {
    const aborted = create({ signal: AbortSignal.abort() })
    await once(aborted, 'close')
    const controller = new AbortController()
    const server = create({ signal: controller.signal })
    await once(server, 'listening')
    controller.abort()
    await once(server, 'close')
  })

  it('is what the end of an await using block does', async () => {
    const server = create()
    await once(server, 'listening')
    const ended = once(server, 'close')
    await server[Symbol.asyncDispose]()
    await ended
    assert.equal(server.status, 'closed')
  })
})

describe('drain', TIMEOUT, () => {
  /** Waits until the relay has seen the listener go, which takes a moment: no sender is met before that. */
  const untilNobodyListens = async () => {
    const { error } = await failed(hyco.relayedConnect(relay.sendUri('hyco')))
    if (error.code !== 'HYCO_ERR_NO_LISTENER') await untilNobodyListens()
  }

  it('waits for the sockets to end by themselves, and takes no new ones', async () => {
    const server = create()
    await once(server, 'listening')
    const sender = hyco.relayedConnect(relay.sendUri('hyco'))
    const [socket] = await once(server, 'connection')
    const drained = server.drain()
    assert.equal(server.closeRequested, true)
    await untilNobodyListens()
    assert.equal(socket.readyState, hyco.OPEN)
    sender.close()
    assert.equal(await drained, true)
    assert.equal(server.status, 'closed')
  })

  it('closes what is still open after its time', async () => {
    const server = create()
    await once(server, 'listening')
    const sender = hyco.relayedConnect(relay.sendUri('hyco'))
    await once(server, 'connection')
    const ended = closed(sender)
    assert.equal(await server.drain({ timeout: 20 }), false)
    assert.equal((await ended).code, 1000)
    await assert.rejects(server.drain({ timeout: 'soon' }), TypeError)
    for (const wrong of [5000, null, 'soon']) {
      await assert.rejects(server.drain(wrong), { name: 'TypeError', message: /'options'/ })
    }
  })
})
