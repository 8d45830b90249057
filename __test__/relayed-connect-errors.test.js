'use strict'

const assert = require('node:assert/strict')
const { execFile } = require('node:child_process')
const { once } = require('node:events')
const { after, before, describe, it } = require('node:test')
const { inspect, promisify } = require('node:util')

const hyco = require('..')
const TestRelay = require('./support/relay')
const { failed, until } = require('./support/watch')

const EARLY = 'WebSocket was closed before the connection was established'

let relay
let server

before(async () => {
  relay = await TestRelay.start({
    hybridConnections: ['hyco', { path: 'open', requiresClientAuthorization: false }],
  })
  server = hyco.createRelayedServer({ server: relay.listenUri('hyco'), token: relay.token() })
  await once(server, 'listening')
})

after(async () => {
  await new Promise((resolve) => server.close(resolve))
  await relay.close()
})

const connect = (options) => hyco.relayedConnect(relay.sendUri('hyco'), relay.token(), options)

/** The first place that a stack names. */
const place = ({ stack }) => stack.split('\n').find((line) => line.startsWith('    at '))

describe('a connect that the program ends', { timeout: 60_000 }, () => {
  for (const end of ['close', 'terminate']) {
    it(`by ${end}() has the code HYCO_ERR_CLOSED, and points at the call`, async () => {
      const socket = connect()
      const failure = failed(socket)
      socket[end]()
      const { error, code } = await failure
      assert.deepEqual([error.code, error.message, code], ['HYCO_ERR_CLOSED', EARLY, 1006])
      assert.ok(place(error).includes(__filename), error.stack)
    })
  }

  it('by a signal is an AbortError with the reason of the signal', async () => {
    const reason = new Error('the user left')
    const early = connect({ signal: AbortSignal.abort(reason) })
    const controller = new AbortController()
    const late = connect({ signal: controller.signal })
    const waiting = hyco.relayedConnect(relay.sendUri('hyco'), new Promise(() => {}), {
      signal: controller.signal,
    })
    const failures = [early, late, waiting].map(failed)
    controller.abort(reason)
    for (const { error, code } of await Promise.all(failures)) {
      assert.deepEqual([error.name, error.code, code], ['AbortError', 'ABORT_ERR', 1006])
      assert.equal(error.cause, reason)
    }
  })

  it('leaves no listener at the signal and no timer behind', async () => {
    const controller = new AbortController()
    const { signal } = controller
    let listeners = 0
    const { addEventListener, removeEventListener } = signal
    signal.addEventListener = (...args) => {
      listeners++
      addEventListener.apply(signal, args)
    }
    signal.removeEventListener = (...args) => {
      listeners--
      removeEventListener.apply(signal, args)
    }
    const open = connect({ signal })
    await once(open, 'open')
    assert.equal(listeners, 1)
    open.close()
    await once(open, 'close')
    assert.equal(listeners, 0)
    const waiting = hyco.relayedConnect(relay.sendUri('hyco'), new Promise(() => {}), { signal })
    const failure = failed(waiting)
    const timers = () =>
      process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
    const running = timers()
    waiting.close()
    await failure
    assert.deepEqual([listeners, timers()], [0, running - 1])
  })

  it('before its token came leaves a rejection of the token without effect', async () => {
    const program = `
      const hyco = require(${JSON.stringify(require.resolve('..'))})
      const token = Promise.reject(new Error('no token'))
      const socket = hyco.relayedConnect('ws://127.0.0.1:1/$hc/x', token, { signal: AbortSignal.abort() })
      socket.on('error', (error) => console.log(error.name))
      socket.on('close', () => setTimeout(() => console.log('alive'), 50))`
    const { stdout } = await promisify(execFile)(process.execPath, ['-e', program])
    assert.equal(stdout, 'AbortError\nalive\n')
  })
})

describe('an error of relayedConnect', { timeout: 60_000 }, () => {
  it('points at the caller, whether it is thrown or emitted', async () => {
    const { error } = await failed(hyco.relayedConnect(relay.sendUri('hyco'), 'no token'))
    assert.ok(place(error).includes(__filename), error.stack)
    assert.ok(error.stack.startsWith(`Error: ${error.message}\n`))
    const attempts = [
      () => hyco.relayedConnect('nowhere'),
      () => hyco.relayedConnect(relay.sendUri('hyco'), null, { maxPayload: -1 }),
      () => hyco.relayedConnect(relay.sendUri('hyco'), null, 'options'),
      () => new hyco.RelayedSocket(),
    ]
    for (const attempt of attempts) {
      assert.throws(attempt, (thrown) => place(thrown).includes(__filename))
    }
  })

  it('says who refused, where that can be told', async () => {
    const refusing = hyco.createRelayedServer({
      server: relay.listenUri('open'),
      token: relay.token(),
      verifyClient: ({ req }, decide) => decide(false, Number(req.headers['x-status'])),
    })
    await once(refusing, 'listening')
    const told = async (address, status) => {
      const options = { headers: { 'x-status': status } }
      const { error } = await failed(hyco.relayedConnect(address, null, options))
      return [error.statusCode, error.refusedBy]
    }
    const open = relay.sendUri('open')
    assert.deepEqual(await told(open, '418'), [418, 'listener'])
    // A gateway on the way says so as well.
    assert.deepEqual(await told(open, '502'), [502, undefined])
    assert.deepEqual(await told(relay.sendUri('hyco'), '200'), [401, 'relay'])
    assert.deepEqual(await told('ws://127.0.0.1:1/$hc/x', '200'), [undefined, undefined])
    await new Promise((resolve) => refusing.close(resolve))
  })

  it('of an exception that nobody catches points at the caller, too', async () => {
    const program = `
      const hyco = require(${JSON.stringify(require.resolve('..'))})
      function theirs() { hyco.relayedConnect('ws://127.0.0.1:1/$hc/x', null) }
      theirs()`
    const { stderr } = await promisify(execFile)(process.execPath, ['-e', program]).catch((e) => e)
    assert.match(stderr, /HYCO_ERR_CONNECT/)
    assert.match(stderr, /at theirs /)
    // Node adds where the event was emitted.
    const [stack] = stderr.split('Emitted')
    assert.doesNotMatch(stack, /^ +at .*lib[\\/](hub|socket)[\\/]/m)
  })
})

describe('the arguments of relayedConnect', { timeout: 60_000 }, () => {
  it('may be an address and a function that takes the socket', async () => {
    const withToken = hyco.createRelaySendUri(relay.namespace, 'hyco', relay.token())
    for (const [address, fn] of [
      [withToken, (resolve) => (socket) => resolve(socket)],
      [withToken, (resolve) => () => resolve()],
    ]) {
      await new Promise((resolve) => {
        const socket = hyco.relayedConnect(address, fn(resolve))
        socket.once('open', () => socket.terminate())
      })
    }
  })

  it('are refused by name where they contradict each other or are of a wrong kind', () => {
    const address = 'wss://127.0.0.1:1/$hc/x'
    const attempts = [
      [[address, null, { tls: {}, ca: 'x' }], "'ca' cannot be given together with 'tls'"],
      [[address, null, {}, 'fn'], "'fn' must be a function"],
      [[address, null, 5], "'options' must be an object"],
    ]
    for (const [args, text] of attempts) {
      assert.throws(
        () => hyco.relayedConnect(...args),
        (error) => error instanceof TypeError && error.message.startsWith(text),
      )
    }
  })

  it('are warned of by name, once, where they have no effect', async () => {
    const warnings = []
    const listen = (warning) => warnings.push(warning)
    process.on('warning', listen)
    try {
      for (let n = 0; n < 2; n++) {
        const options = {
          handshakeTimout: 5,
          agent: {},
          perMessageDeflate: false,
          lookup: undefined,
        }
        const socket = connect(options)
        await once(socket, 'open')
        socket.terminate()
      }
      await until(() => warnings.length >= 2, 'the warnings')
    } finally {
      process.removeListener('warning', listen)
    }
    const ours = warnings.filter(({ code }) => code === 'HYCO_WARN_UNKNOWN_OPTION')
    assert.deepEqual(
      ours.map(({ message }) => message),
      [
        "the option 'handshakeTimout' of relayedConnect has no effect",
        "the option 'agent' of relayedConnect has no effect",
      ],
    )
  })
})

describe('a socket', { timeout: 60_000 }, () => {
  it('cannot be constructed, and the error says what to call', () => {
    const expected = {
      code: 'HYCO_ERR_INVALID_ARGUMENT',
      name: 'TypeError',
      message: /relayedConnect\(\)/,
    }
    assert.throws(() => new hyco.RelayedSocket(), expected)
    assert.throws(() => new hyco.RelayedSocket('ws://localhost'), expected)
  })

  it('shows its true state in a few lines, and no token', async () => {
    const address = hyco.createRelaySendUri(relay.namespace, 'hyco', relay.token())
    const socket = hyco.relayedConnect(address, null, { protocols: ['chat'] })
    assert.match(inspect(socket), /^RelayedSocket \{\s+readyState: 'CONNECTING'/)
    await once(socket, 'open')
    socket.pause()
    const text = inspect(socket)
    for (const part of [
      "readyState: 'OPEN'",
      "protocol: 'chat'",
      'isPaused: true',
      "binaryType: 'nodebuffer'",
    ]) {
      assert.ok(text.includes(part), text)
    }
    assert.ok(text.split('\n').length < 12)
    assert.ok(!text.includes('SharedAccessSignature'), text)
    assert.equal(inspect(new Proxy(socket, {})), text)
    assert.match(inspect({ deep: { socket } }, { depth: 3 }), /readyState: 'OPEN'/)
    socket.terminate()
    await once(socket, 'close')
    assert.match(inspect(socket), /readyState: 'CLOSED'/)
  })
})

describe("the request of 'unexpected-response'", { timeout: 60_000 }, () => {
  it('closes once, however often it is destroyed', async () => {
    const socket = hyco.relayedConnect(relay.sendUri('nowhere'), relay.token())
    const [request, response] = await once(socket, 'unexpected-response')
    assert.equal(response.statusCode, 404)
    assert.equal(request.destroyed, false)
    let closes = 0
    request.on('close', () => closes++)
    assert.equal(request.destroy(), request)
    request.abort()
    assert.deepEqual([closes, request.destroyed], [1, true])
    const ended = failed(socket)
    socket.terminate()
    assert.equal((await ended).error.message, EARLY)
  })
})
