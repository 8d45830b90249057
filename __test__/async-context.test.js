'use strict'

const assert = require('node:assert/strict')
const { AsyncLocalStorage } = require('node:async_hooks')
const { execFile } = require('node:child_process')
const { once } = require('node:events')
const { after, before, describe, it } = require('node:test')
const { promisify } = require('node:util')

const hyco = require('..')
const TestRelay = require('./support/relay')
const { until } = require('./support/watch')

const store = new AsyncLocalStorage()

let relay
let echo

before(async () => {
  relay = await TestRelay.start({ hybridConnections: ['echo', 'other', 'unused'] })
  echo = hyco.createRelayedServer(
    { server: relay.listenUri('echo'), token: relay.token() },
    (socket) => {
      socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
      socket.on('ping', () => {})
    },
  )
  await once(echo, 'listening')
})

after(async () => {
  await new Promise((resolve) => echo.close(resolve))
  await relay.close()
})

/** Writes down the store that each event of an emitter sees. */
function watch(emitter, names) {
  const seen = []
  for (const name of names) emitter.on(name, () => seen.push(`${name}:${store.getStore()}`))
  return seen
}

const SOCKET_EVENTS = ['open', 'upgrade', 'message', 'pong', 'error', 'close']

function connect(options) {
  return hyco.relayedConnect(relay.sendUri('echo'), relay.token(), options)
}

/** Everything that a socket emits, each once. */
async function live(socket) {
  if (socket.readyState === hyco.CONNECTING) await once(socket, 'open')
  socket.send('text')
  await once(socket, 'message')
  socket.ping()
  await once(socket, 'pong')
  socket.close()
  await once(socket, 'close')
}

describe('AsyncLocalStorage', { timeout: 300_000 }, () => {
  for (const options of [{}, { allowSynchronousEvents: false }, { token: 'function' }]) {
    it(`each socket has the store in which it was made ${JSON.stringify(options)}`, async () => {
      const { token, ...rest } = options
      const open = () =>
        hyco.relayedConnect(
          relay.sendUri('echo'),
          token ? async () => relay.token() : relay.token(),
          rest,
        )
      const sockets = [store.run('A', open), store.run('B', open), open()]
      const seen = sockets.map((socket) => watch(socket, SOCKET_EVENTS))
      await Promise.all(sockets.map(live))
      for (const [i, name] of ['A', 'B', undefined].entries()) {
        assert.deepEqual(
          seen[i].filter((entry) => !entry.startsWith('upgrade')),
          ['open', 'message', 'pong', 'close'].map((event) => `${event}:${name}`),
        )
      }
    })
  }

  it('a socket that fails, or is given up, tells so in its store', async () => {
    const made = store.run('A', () => [
      hyco.relayedConnect(relay.sendUri('unused'), relay.token()),
      connect(),
      hyco.relayedConnect(relay.sendUri('echo'), () => Promise.reject(new Error('none'))),
    ])
    const seen = made.map((socket) => watch(socket, ['error', 'close']))
    const ends = made.map((socket) => once(socket, 'close'))
    store.run('B', () => made[1].close())
    await Promise.allSettled(ends)
    await until(() => seen.every((entries) => entries.length === 2), 'all have ended')
    for (const entries of seen) assert.deepEqual(entries, ['error:A', 'close:A'])
  })

  it('what was held back while paused is emitted in the store of the socket', async () => {
    const socket = store.run('A', () => connect())
    await once(socket, 'open')
    const seen = watch(socket, ['message'])
    socket.pause()
    socket.send('text')
    await new Promise((resolve) => socket.ping('', true, resolve))
    store.run('B', () => socket.resume())
    await until(() => seen.length === 1, 'the message')
    assert.deepEqual(seen, ['message:A'])
    socket.terminate()
  })

  it('each callback has the store in which it was given', async () => {
    const socket = store.run('A', () => connect())
    await once(socket, 'open')
    const seen = []
    const note = (name) => (error) => seen.push([name, error ?? null, store.getStore()])
    socket.send('1', note('none'))
    store.run('B', () => socket.send('2', note('B')))
    store.run('C', () => socket.send(Buffer.alloc(200_000), note('C')))
    socket.ping('4', true, note('none'))
    store.run('D', () => socket.pong('5', true, note('D')))
    store.run('E', () => socket.send(new Blob(['6']), note('E')))
    store.run('F', () => socket.send('7', note('F')))
    socket.send('8', note('none'))
    await until(() => seen.length === 8, 'all callbacks')
    const names = ['none', 'B', 'C', 'none', 'D', 'E', 'F', 'none']
    assert.deepEqual(
      seen,
      names.map((name) => [name, null, name === 'none' ? undefined : name]),
    )
    const failures = []
    const fail = () => failures.push(store.getStore())
    store.run('G', () => socket.send(new Blob(['x'.repeat(1000)]), fail))
    socket.send('9', fail)
    store.run('H', () => socket.terminate())
    await until(() => failures.length === 2, 'the callbacks of what is not sent')
    assert.deepEqual(failures, ['G', undefined])
  })

  it('a server and its sockets have the store in which the server was made', async () => {
    const seen = {}
    const note = (name) => {
      seen[name] ??= []
      seen[name].push(store.getStore())
    }
    const server = store.run('S', () => {
      const made = new hyco.RelayedServer({
        server: relay.listenUri('other'),
        token: async () => {
          note('token')
          return relay.token()
        },
        verifyClient: (_info, decide) => {
          note('verifyClient')
          decide(true)
        },
        handleProtocols: () => {
          note('handleProtocols')
          return false
        },
        reconnect: ({ delay }) => {
          note('reconnect')
          return delay
        },
      })
      for (const name of ['connecting', 'online', 'listening', 'headers', 'close']) {
        made.on(name, () => note(name))
      }
      made.on('connection', (socket) => {
        note('connection')
        socket.on('message', () => note('message'))
        socket.on('close', () => note('socket close'))
        socket.send('hello', () => note('callback'))
      })
      return made
    })
    await once(server, 'listening')
    const socket = store.run('C', () =>
      hyco.relayedConnect(relay.sendUri('other'), relay.token(), { protocols: [] }),
    )
    await once(socket, 'message')
    socket.send('x')
    await until(() => seen.message, 'the message')
    socket.close()
    await until(() => seen['socket close'], 'the close')
    await store.run('D', () => new Promise((resolve) => server.close(resolve)))
    await until(() => seen.close, "the 'close' event")
    for (const [name, stores] of Object.entries(seen)) {
      assert.deepEqual(new Set(stores), new Set(['S']), name)
    }
    for (const name of ['token', 'verifyClient', 'headers', 'connection', 'callback', 'close']) {
      assert.ok(seen[name], name)
    }
  })

  it('the callback of close() has the store in which it was given', async () => {
    const server = store.run('S', () => {
      const options = { server: relay.listenUri('other'), token: relay.token() }
      return new hyco.RelayedServer(options)
    })
    await once(server, 'listening')
    const given = await store.run(
      'T',
      () => new Promise((resolve) => server.close(() => resolve(store.getStore()))),
    )
    assert.equal(given, 'T')
    const later = await new Promise((resolve) => server.close(() => resolve(store.getStore())))
    assert.equal(later, undefined)
  })

  it('the function given to relayedConnect, and its token function, have its store', async () => {
    const seen = []
    const socket = await store.run(
      'A',
      () =>
        new Promise((resolve) => {
          const token = () => {
            seen.push(store.getStore())
            return relay.token()
          }
          hyco.relayedConnect(relay.sendUri('echo'), token, (open) => {
            seen.push(store.getStore())
            resolve(open)
          })
        }),
    )
    assert.deepEqual(seen, ['A', 'A'])
    socket.terminate()
  })

  it('what a listener enters is not seen by other sockets', async () => {
    const [first, second] = [connect(), connect()]
    await Promise.all([once(first, 'open'), once(second, 'open')])
    first.on('message', () => store.enterWith('leaked'))
    first.send('x')
    await once(first, 'message')
    const seen = watch(second, ['message', 'close'])
    second.send('x')
    await until(() => seen.length === 1, 'the message of the other')
    second.close()
    await until(() => seen.length === 2, 'the close of the other')
    assert.deepEqual(seen, ['message:undefined', 'close:undefined'])
    first.terminate()
  })
})

describe('the first store is noticed', { timeout: 300_000 }, () => {
  /** What a program prints that has `context` and `store`, after `before` was run. */
  async function run(before, program) {
    const source = `
      const { AsyncLocalStorage } = require('node:async_hooks')
      const { prototype } = AsyncLocalStorage
      const names = ['_enable', 'enterWith', 'run']
      const functions = () => names.map((name) => prototype[name])
      const untouched = functions()
      ${before}
      const context = require(${JSON.stringify(require.resolve('../lib/context'))})
      const store = new AsyncLocalStorage()
      ${program}`
    const env = { ...process.env, FORCE_COLOR: undefined }
    const { stdout } = await promisify(execFile)(process.execPath, ['-e', source], { env })
    return stdout.trim()
  }

  const WITHIN = 'console.log(store.run(1, context.captureQuickly) !== null)'

  it('and until then a callback costs nothing, and afterwards nothing is left of it', async () => {
    const program = `
      const before = context.captureQuickly()
      const within = store.run(1, context.captureQuickly)
      console.log(before, within !== null, functions().every((fn, at) => fn === untouched[at]))`
    assert.equal(await run('', program), 'null true true')
  })

  it('where the prototype is frozen', async () => {
    assert.equal(await run('Object.freeze(prototype)', WITHIN), 'true')
  })

  it('where stores are entered by a way that is not known', async () => {
    const before = `
      const { run } = prototype
      const own = Object.fromEntries(names.map((name) => [name, prototype[name]]))
      prototype.run = function (...args) {
        Object.assign(this, own)
        return run.apply(this, args)
      }`
    assert.equal(await run(before, WITHIN), 'true')
  })

  it('where another library puts its functions over ours, and takes them away later', async () => {
    const program = `
      const { enterWith, _enable } = prototype
      const over = (fn) => fn && function (...args) { return fn.apply(this, args) }
      Object.assign(prototype, { enterWith: over(enterWith), _enable: over(_enable) })
      const first = store.run(1, context.captureQuickly)
      Object.assign(prototype, { enterWith, _enable })
      const second = store.run(1, () => [context.captureQuickly(), store.getStore()])
      console.log(first !== null, second[0] !== null, second[1])`
    assert.equal(await run('', program), 'true true 1')
  })
})
