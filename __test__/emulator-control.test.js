'use strict'

const assert = require('node:assert')
const { once } = require('node:events')
const { after, describe, test } = require('node:test')

const { createRelayedServer, createRelayListenUri, createRelaySendUri } = require('..')
const { createRelayToken, relayedConnect, startRelayEmulator } = require('..')
const { until } = require('./support/watch')

const timeout = { timeout: 300_000 }

/** What a test leaves open. */
const ending = []

after(async () => {
  for (const thing of ending.toReversed()) await thing.close()
})

async function start(options) {
  const relay = await startRelayEmulator(options)
  ending.push(relay)
  return relay
}

/** @return {Promise<RelayedServer>} A listener that echoes */
async function listen(relay, path = 'hyco', options = {}) {
  const { namespace, keyName, key } = relay
  const server = createRelayedServer(
    { server: createRelayListenUri(namespace, path), keyName, key, ...options },
    (socket) => {
      socket.on('error', () => {})
      socket.on('message', (data) => socket.send(data))
    },
  )
  server.on('error', () => {})
  server.on('offline', () => {})
  ending.push({ close: () => new Promise((resolve) => server.close(resolve)) })
  await heard(server, 'listening')
  return server
}

/** As `once`, but an 'error' in between does not matter. */
function heard(emitter, name) {
  return new Promise((resolve) => emitter.once(name, resolve))
}

function connect(relay, path = 'hyco') {
  const address = createRelaySendUri(relay.namespace, path)
  const socket = relayedConnect(address, createRelayToken(address, relay.keyName, relay.key))
  ending.push({ close: () => socket.terminate() })
  return socket
}

describe('hybrid connections and rules of a running relay', timeout, () => {
  test('a hybrid connection is created, listed and deleted (E25)', async () => {
    const relay = await start()
    relay.createHybridConnection('team/chat')
    assert.throws(() => relay.createHybridConnection('TEAM/chat'), {
      name: 'TypeError',
      code: 'HYCO_ERR_INVALID_ARGUMENT',
      message: /already/,
    })
    assert.throws(() => relay.createHybridConnection('a//b'), /a\/\/b/)
    for (const wrong of [undefined, null, 5, ['a']]) {
      assert.throws(() => relay.createHybridConnection(wrong), /'options' must be an object/)
      assert.throws(() => relay.createRule(wrong), /'rule' must be an object/)
      assert.throws(() => relay.setFault(wrong), /'fault' must be an object/)
    }
    const server = await listen(relay, 'team/chat')
    const paired = once(relay, 'paired')
    const socket = connect(relay, 'team/chat')
    await Promise.all([once(socket, 'open'), paired])
    const [, chat] = relay.hybridConnections()
    assert.strictEqual(chat.path, 'team/chat')
    assert.deepStrictEqual([chat.listeners, chat.pending, chat.connections], [1, 0, 1])
    const offline = once(server, 'offline')
    relay.deleteHybridConnection('team/chat')
    const [code] = await once(socket, 'close')
    assert.strictEqual(code, 1001)
    await offline
    assert.strictEqual(relay.hybridConnections().length, 1)
    const [error] = await once(connect(relay, 'team/chat'), 'error')
    assert.strictEqual(error.statusCode, 404)
    assert.throws(() => relay.deleteHybridConnection('team/chat'), /team/)
  })

  test('a rule is created, used and deleted', async () => {
    const relay = await start()
    const rule = relay.createRule({ keyName: 'send only', rights: ['Send'] })
    assert.strictEqual(rule.key.length, 44)
    assert.deepStrictEqual(rule.rights, ['Send'])
    await listen(relay)
    const address = createRelaySendUri(relay.namespace, 'hyco')
    const token = createRelayToken(address, 'send only', rule.key)
    const socket = relayedConnect(address, token)
    ending.push({ close: () => socket.terminate() })
    await once(socket, 'open')
    relay.deleteRule('send only')
    const [error] = await once(relayedConnect(address, token), 'error')
    assert.strictEqual(error.statusCode, 401)
    assert.deepStrictEqual(
      relay.rules().map(({ keyName }) => keyName),
      ['RootManageSharedAccessKey'],
    )
    relay.createRule({ keyName: 'here' }, 'hyco')
    assert.strictEqual(relay.rules('hyco').length, 1)
    assert.throws(() => relay.createRule({}), { code: 'HYCO_ERR_INVALID_ARGUMENT' })
  })
})

describe('what is connected to a running relay', timeout, () => {
  test('listeners and connections are listed with their traffic, closed and dropped', async () => {
    const relay = await start()
    const server = await listen(relay)
    const socket = connect(relay)
    await once(socket, 'open')
    socket.send('hello')
    await once(socket, 'message')
    const [listener] = relay.listeners()
    assert.strictEqual(listener.hybridConnection, 'hyco')
    assert.strictEqual(listener.announced, 1)
    // What has arrived a moment ago may not have been counted yet.
    const counted = ({ toListener, toSender }) => toListener.messages + toSender.messages === 2
    await until(() => relay.connections().every(counted), 'the counts')
    const [connection] = relay.connections()
    assert.deepStrictEqual(connection.toListener, { messages: 1, bytes: 5 })
    assert.deepStrictEqual(connection.toSender, { messages: 1, bytes: 5 })
    const closed = once(socket, 'close')
    connection.close(4321, 'enough')
    const [code, reason] = await closed
    assert.deepStrictEqual([code, String(reason)], [4321, 'enough'])
    assert.throws(() => connection.close(1006), TypeError)
    const again = heard(server, 'listening')
    listener.drop()
    await again
    const paired = once(relay, 'paired')
    const other = connect(relay)
    await Promise.all([once(other, 'open'), paired])
    await until(() => relay.connections().length === 1, 'the end of the one that was closed')
    const lost = once(other, 'close')
    relay.connections()[0].drop()
    assert.strictEqual((await lost)[0], 1006)
    assert.match(relay.metrics(), /^hyco_relay_listeners\{hybrid_connection="hyco"\} 1$/m)
    assert.match(relay.metrics(), /^hyco_relay_messages_total\{to="sender"\} 1$/m)
  })

  test('a sender that waits is listed', async () => {
    const relay = await start()
    await listen(relay)
    relay.setFault({ kind: 'swallowAccept' })
    const socket = connect(relay)
    socket.on('error', () => {})
    while (relay.pending().length === 0) await new Promise(setImmediate)
    const [pending] = relay.pending()
    assert.strictEqual(pending.hybridConnection, 'hyco')
  })
})

describe('what happens in a relay', timeout, () => {
  test('can be left while the next event is awaited, and before the first', async () => {
    const relay = await start()
    const before = relay.listenerCount('event')
    const [unused, waiting] = [relay[Symbol.asyncIterator](), relay[Symbol.asyncIterator]()]
    const next = waiting.next()
    await Promise.all([unused.return(), waiting.return()])
    assert.deepStrictEqual(await next, { done: true, value: undefined })
    assert.strictEqual(relay.listenerCount('event'), before)
    assert.deepStrictEqual(await waiting.next(), { done: true, value: undefined })
  })

  test('is told by its name although a listener for all events throws', async () => {
    const relay = await start()
    const errors = []
    relay.on('event', ({ type }) => {
      if (type === 'handshake') throw new Error('thrown by a listener')
    })
    const handshake = once(relay, 'handshake')
    process.setUncaughtExceptionCaptureCallback((error) => errors.push(error.message))
    try {
      await listen(relay)
      await handshake
    } finally {
      process.setUncaughtExceptionCaptureCallback(null)
    }
    assert.deepStrictEqual(errors, ['thrown by a listener'])
  })

  test('is told by events, in the journal, and to for await', async () => {
    const relay = await start()
    const seen = []
    const reading = (async () => {
      for await (const event of relay) seen.push(event.type)
    })()
    const handshake = once(relay, 'handshake')
    await listen(relay)
    assert.strictEqual((await handshake)[0].action, 'listen')
    const paired = once(relay, 'paired')
    const socket = connect(relay)
    const opened = once(socket, 'open')
    assert.strictEqual((await paired)[0].hybridConnection, 'hyco')
    await opened
    const ended = new Promise((resolve) => {
      relay.on('closed', (event) => event.what === 'connection' && resolve(event))
    })
    socket.send('12345')
    await once(socket, 'message')
    socket.close()
    const closed = await ended
    assert.deepStrictEqual(closed.toListener, { messages: 1, bytes: 5 })
    assert.match(closed.reason, /both sides/)
    const refused = once(relay, 'refused')
    const [error] = await once(connect(relay, 'hyc'), 'error')
    assert.strictEqual(error.statusCode, 404)
    const [refusal] = await refused
    assert.strictEqual(refusal.status, 404)
    assert.match(refusal.hint, /hyco/)
    const journal = relay.journal()
    assert.deepStrictEqual(
      journal.map(({ serial }) => serial),
      journal.map((_, index) => index + 1),
    )
    assert.ok(!JSON.stringify(journal).includes('SharedAccessSignature'))
    const { serial } = journal[2]
    assert.strictEqual(relay.journal({ since: serial })[0].serial, serial + 1)
    await until(
      () => relay.journal({ since: relay.journal().at(-1).serial }).length === 0,
      'nothing after the last',
    )
    await relay.close()
    await reading
    assert.ok(seen.includes('handshake') && seen.includes('refused') && seen.includes('closed'))
    assert.throws(() => relay.listeners(), { code: 'HYCO_ERR_CLOSED' })
  })

  test('a refusal says what most likely helps', async () => {
    const relay = await start()
    relay.createRule({ keyName: 'sender', key: 'secret', rights: ['Send'] })
    const address = createRelayListenUri(relay.namespace, 'hyco')
    const cases = [
      [{ keyName: 'sender', key: 'secret' }, /rule sender has Send, listening needs Listen/],
      [{ keyName: 'nobody', key: 'x' }, /no rule nobody.*RootManageSharedAccessKey, sender/],
      [{ keyName: 'sender', key: 'wrong' }, /the rule sender exists, so the key is another one/],
      [
        { token: createRelayToken(`${relay.namespace}/hyc`, relay.keyName, relay.key) },
        /the token is for .*\/hyc.*the request is for \/hyco/,
      ],
    ]
    for (const [credential, hint] of cases) {
      const refused = once(relay, 'refused')
      const server = createRelayedServer({ server: address, ...credential, reconnect: false })
      server.on('error', () => {})
      const [event] = await refused
      assert.strictEqual(event.status, 401)
      assert.match(event.hint, hint)
      assert.ok(!JSON.stringify(event).includes('secret'))
      await new Promise((resolve) => server.close(resolve))
    }
  })

  test('frames are recorded on request', async () => {
    const relay = await start()
    await listen(relay)
    const paired = once(relay, 'paired')
    const socket = connect(relay)
    await Promise.all([once(socket, 'open'), paired])
    relay.record('hyco')
    const both = new Promise((resolve) => {
      relay.on('frame', ({ to }) => to === 'sender' && resolve())
    })
    socket.send('recorded')
    await both
    const frames = relay.journal().filter(({ type }) => type === 'frame')
    assert.deepStrictEqual(
      frames.map(({ to, kind, fin, length, start }) => [to, kind, fin, length, start]),
      [
        ['listener', 'text', true, 8, Buffer.from('recorded').toString('base64')],
        ['sender', 'binary', true, 8, Buffer.from('recorded').toString('base64')],
      ],
    )
    assert.throws(() => relay.record('nothing'), TypeError)
  })

  test('a recorded frame is as it came, also where a fault cuts it', async () => {
    const relay = await start()
    await listen(relay)
    const socket = connect(relay)
    await once(socket, 'open')
    relay.record('hyco')
    relay.setFault({ kind: 'slice', bytes: 3 })
    const frame = once(relay, 'frame')
    socket.send('abcdefgh')
    const [{ to, fin, length, start: begin }] = await frame
    const text = Buffer.from(begin, 'base64').toString()
    assert.deepStrictEqual([to, fin, length, text], ['listener', true, 8, 'abcdefgh'])
  })
})

describe('faults on purpose (E29)', timeout, () => {
  test('a listener gets through refusals, losses and silence', async () => {
    const relay = await start()
    const fault = relay.setFault({ kind: 'refuse', action: 'listen', status: 503, count: 2 })
    const server = await listen(relay, 'hyco', { reconnect: { delays: [10] } })
    assert.strictEqual(relay.faults()[0].struck, 2)
    fault.remove()
    fault.remove()
    assert.deepStrictEqual(relay.faults(), [])
    const again = heard(server, 'listening')
    relay.setFault({ kind: 'close', on: 'control', code: 1011, count: 1 })
    await again
    relay.reset()
    assert.deepStrictEqual(relay.faults(), [])
    await heard(server, 'listening')
  })

  test('a fault that makes no sense is refused by name', async () => {
    const relay = await start()
    assert.throws(() => relay.setFault({ kind: 'latency', dealy: 5 }), /dealy/)
    assert.throws(() => relay.setFault({ kind: 'close', on: 'control', code: 1 }), /code/)
    assert.throws(() => relay.setFault([['drop', 'control']]), /'fault' must be an object/)
    // JSON has no such numbers, and null would mean that they were left out.
    for (const probability of [NaN, Infinity, 1n]) {
      const fault = { kind: 'latency', delay: 5, probability }
      assert.throws(() => relay.setFault(fault), { message: /'probability' must be a finite/ })
    }
    assert.deepStrictEqual(relay.faults(), [])
  })

  test('a fault is removed by its number, and by nothing else', async () => {
    const relay = await start()
    const { id } = relay.setFault({ kind: 'latency', delay: 5 })
    for (const wrong of ['x', String(id), NaN, -1, 1.5, 1n, null, undefined, {}, [id]]) {
      assert.throws(() => relay.removeFault(wrong), {
        name: 'TypeError',
        code: 'HYCO_ERR_INVALID_ARGUMENT',
        message: "'id' must be a number that the relay has given",
      })
    }
    assert.strictEqual(relay.faults().length, 1)
    relay.removeFault(id)
    relay.removeFault(id)
    assert.deepStrictEqual(relay.faults(), [])
    for (const wrong of [null, 5, { since: 'x' }, { since: -1 }]) {
      assert.throws(() => relay.journal(wrong), { code: 'HYCO_ERR_INVALID_ARGUMENT' })
    }
  })
})

describe('an AbortSignal', timeout, () => {
  const isClosed = (relay) => {
    try {
      return relay.connections() === undefined
    } catch (error) {
      assert.strictEqual(error.code, 'HYCO_ERR_CLOSED')
      return true
    }
  }

  test('closes the relay', async () => {
    const controller = new AbortController()
    const { signal } = controller
    const relay = await startRelayEmulator({ signal })
    // It is used until then.
    const server = await listen(relay)
    assert.ok(!isClosed(relay))
    controller.abort()
    await until(() => isClosed(relay), 'the end')
    await relay.close()
    await server.close()
    await assert.rejects(startRelayEmulator({ signal }), { name: 'AbortError' })
    await assert.rejects(startRelayEmulator({ signal: 1 }), /signal/)
  })

  test('may be null, or of another realm, as for a server', async () => {
    await (await startRelayEmulator({ signal: null })).close()
    // Shaped as an AbortSignal: one of a polyfill, or of the window of a test environment.
    const signal = new EventTarget()
    signal.aborted = false
    const relay = await startRelayEmulator({ signal })
    signal.dispatchEvent(new Event('abort'))
    await until(() => isClosed(relay), 'the end')
    await relay.close()
    signal.aborted = true
    signal.reason = new Error('enough')
    await assert.rejects(startRelayEmulator({ signal }), /enough/)
  })

  test('that is aborted while the relay starts closes it as soon as it has', async () => {
    const controller = new AbortController()
    const starting = startRelayEmulator({ signal: controller.signal })
    controller.abort()
    const relay = await starting
    await until(() => isClosed(relay), 'the end')
    await relay.close()
  })
})
