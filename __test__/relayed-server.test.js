'use strict'

const assert = require('node:assert/strict')
const { EventEmitter, once } = require('node:events')
const { after, before, describe, it } = require('node:test')
const { inspect } = require('node:util')

const hyco = require('..')
const TestRelay = require('./support/relay')
const Way = require('./support/way')
const { uncaught, until } = require('./support/watch')

const TIMEOUT = { timeout: 300_000 }

let relay

before(async () => {
  relay = await TestRelay.start({
    hybridConnections: [{ path: 'hyco', requiresClientAuthorization: false }, 'other'],
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

/** Notes the events of a server by name. */
function record(server) {
  const events = []
  for (const name of ['connecting', 'online', 'listening', 'offline', 'error', 'close']) {
    server.on(name, () => events.push(name))
  }
  return events
}

describe('a server', TIMEOUT, () => {
  it('can be made with new, without it, by function and by both functions', async () => {
    const options = { server: relay.listenUri('hyco'), token: relay.token() }
    const servers = [
      new hyco.RelayedServer(options),
      hyco.RelayedServer(options),
      hyco.createRelayedServer(options),
      hyco.createRelayedListener(options),
    ]
    for (const server of servers) {
      assert.ok(server instanceof hyco.RelayedServer)
      assert.ok(server instanceof EventEmitter)
      assert.equal(server.constructor, hyco.RelayedServer)
    }
    await Promise.all(servers.map(close))
  })

  it('can be extended', async () => {
    class Mine extends hyco.RelayedServer {
      mine = true
    }
    const server = new Mine({ server: relay.listenUri('hyco'), token: relay.token() })
    assert.ok(server.mine && server instanceof Mine && server instanceof hyco.RelayedServer)
    await close(server)
  })

  it('comes online in a fixed order of events, and ends with one close', async () => {
    const server = create()
    const events = record(server)
    assert.equal(server.status, 'connecting')
    await once(server, 'listening')
    assert.equal(server.status, 'online')
    const all = once(server, 'close')
    await close(server)
    await all
    assert.equal(server.status, 'closed')
    assert.deepEqual(events, ['connecting', 'online', 'listening', 'close'])
  })

  it('tells where it listens', async () => {
    const server = create({ path: undefined })
    const { hostname, port } = new URL(relay.namespace)
    const address = {
      address: hostname,
      family: 'IPv4',
      port: Number(port),
      path: 'hyco',
      secure: false,
    }
    assert.deepEqual(server.address(), address)
    assert.equal(server.path, 'hyco')
    assert.equal(server.listenUri, relay.listenUri('hyco'))
    assert.equal(server.options.server, relay.listenUri('hyco'))
    await close(server)
    assert.equal(server.address(), null)
  })

  it('calls back once when it listens, and its connection function for each sender', async () => {
    let count = 0
    await new Promise((resolve) => {
      const server = create()
      server.close()
      const other = new hyco.RelayedServer(
        { server: relay.listenUri('hyco'), token: relay.token() },
        () => {
          count++
          other.close(resolve)
        },
      )
    })
    assert.equal(count, 1)
  })

  it('shows no secret when it is printed', async () => {
    const token = relay.token()
    const server = create({ server: `${relay.listenUri('hyco')}&sb-hc-token=hush`, token })
    server.on('error', () => {})
    const shown = inspect(server, { depth: 5 }) + JSON.stringify(server)
    assert.ok(!shown.includes('hush') && !shown.includes('SharedAccessSignature'))
    await close(server)
  })
})

describe('a token', TIMEOUT, () => {
  const comesOnline = async (token) => {
    const server = create({ token })
    await once(server, 'listening')
    await close(server)
  }

  it('is taken from a function, a promise of a function, and a credential', async () => {
    await comesOnline(() => relay.token())
    await comesOnline(async () => relay.token())
    await comesOnline({ getToken: async () => ({ token: relay.token(), expiresOnTimestamp: 0 }) })
  })

  it('is signed with keyName and key, and with a connection string', async () => {
    const { keyName, key, connectionString } = relay.emulator
    const signing = create({ token: undefined, keyName, key })
    await once(signing, 'listening')
    await close(signing)
    const server = new hyco.RelayedServer({ connectionString, path: 'other' })
    await once(server, 'listening')
    assert.equal(server.path, 'other')
    await close(server)
  })

  it('that cannot be had at first is reported and asked for again (C20)', async () => {
    const cause = new Error('vault is closed')
    let asked = 0
    const server = create({
      reconnect: { delays: [1] },
      token: async () => {
        if (++asked < 3) throw cause
        return relay.token()
      },
    })
    const errors = []
    server.on('error', (error) => errors.push(error))
    await until(() => server.status === 'online', 'a token')
    assert.deepEqual(
      errors.map((error) => [error.code, error.cause]),
      [
        ['HYCO_ERR_TOKEN', cause],
        ['HYCO_ERR_TOKEN', cause],
      ],
    )
    await close(server)
  })
})

describe('a failure to listen', TIMEOUT, () => {
  const badToken = () =>
    hyco.createRelayToken(relay.sendUri('hyco'), relay.emulator.keyName, 'not the key')

  it('is an error with status, reason and tracking id, after offline (C12, C56)', async () => {
    const server = create({ token: badToken(), reconnect: { delays: [60_000] } })
    const events = record(server)
    const [error] = await once(server, 'error')
    assert.equal(error.code, 'HYCO_ERR_UNAUTHORIZED')
    assert.equal(error.statusCode, 401)
    assert.match(error.reason, /^InvalidSignature/)
    assert.ok(error.trackingId)
    assert.deepEqual(events, ['connecting', 'offline', 'error'])
    assert.equal(server.status, 'offline')
    await close(server)
  })

  it('is thrown where nobody listens for errors and no later try can help', async () => {
    for (const options of [{ token: badToken() }, { server: relay.listenUri('nothing') }]) {
      const errors = await uncaught(async (caught) => {
        const server = create({ ...options, reconnect: { delays: [60_000] } })
        await until(() => caught.length > 0, 'the error is thrown')
        await close(server)
      })
      assert.deepEqual(
        errors.map((error) => error.statusCode > 400),
        [true],
      )
    }
  })

  it('of an unknown hybrid connection is final (C13)', async () => {
    const server = create({ server: relay.listenUri('nothing'), reconnect: { delays: [1] } })
    server.on('error', () => {})
    const [info] = await once(server, 'offline')
    assert.equal(info.final, true)
    assert.equal(info.error.code, 'HYCO_ERR_ENDPOINT_NOT_FOUND')
    assert.equal(server.status, 'offline')
    await close(server)
    assert.equal(server.status, 'closed')
  })

  it('of the network is quiet where nobody listens for errors, and tried again', async () => {
    const server = new hyco.RelayedServer({
      server: 'ws://127.0.0.1:1/$hc/hyco',
      token: relay.token(),
      reconnect: { delays: [60], jitter: 0 },
    })
    const infos = []
    server.on('offline', (info) => infos.push(info))
    await until(() => infos.length >= 3, 'three tries')
    assert.deepEqual(
      infos.slice(0, 3).map(({ attempt, delay, final }) => ({ attempt, delay, final })),
      [1, 2, 3].map((attempt) => ({ attempt, delay: 60, final: false })),
    )
    assert.equal(infos[0].error.code, 'HYCO_ERR_CONNECT')
    assert.equal(infos[0].error.cause.code, 'ECONNREFUSED')
    await close(server)
  })

  it('ends it when reconnection is off', async () => {
    const server = create({ server: 'ws://127.0.0.1:1/$hc/hyco', reconnect: false })
    const [error] = await once(server, 'error')
    assert.equal(error.code, 'HYCO_ERR_CONNECT')
    await close(server)
  })

  it('is put to a function that may move the next try or veto it', async () => {
    const infos = []
    const server = create({
      server: 'ws://127.0.0.1:1/$hc/hyco',
      reconnect: (info) => {
        infos.push(info)
        return info.attempt < 3 ? 2 : false
      },
    })
    server.on('error', () => {})
    const offline = []
    server.on('offline', ({ delay, final }) => offline.push({ delay, final }))
    await until(() => offline.at(-1)?.final, 'the veto')
    assert.deepEqual(
      infos.map(({ attempt }) => attempt),
      [1, 2, 3],
    )
    assert.equal(infos[0].error.code, 'HYCO_ERR_CONNECT')
    assert.deepEqual(
      offline.map(({ final }) => final),
      [false, false, true],
    )
    assert.equal(offline[0].delay, 2)
    await close(server)
  })
})

describe('an async function given as reconnect', TIMEOUT, () => {
  it('is awaited: it may move the next try, veto it, or fail', async () => {
    const answers = [async () => 3, async () => undefined, async () => false]
    const server = create({
      server: 'ws://127.0.0.1:1/$hc/hyco',
      reconnect: async ({ attempt }) => {
        await new Promise(setImmediate)
        return answers[attempt - 1]()
      },
    })
    server.on('error', () => {})
    const offline = []
    server.on('offline', ({ delay, final }) => offline.push({ delay, final }))
    await until(() => offline.at(-1)?.final, 'the veto')
    assert.equal(offline.length, 3)
    assert.deepEqual(offline[0], { delay: 3, final: false })
    await close(server)
  })

  it('that rejects keeps to the schedule, and the exception surfaces', async () => {
    const errors = await uncaught(async (caught) => {
      const server = create({
        server: 'ws://127.0.0.1:1/$hc/hyco',
        reconnect: async ({ attempt }) => {
          if (attempt === 1) throw new Error('undecided')
          return false
        },
      })
      server.on('error', () => {})
      const offline = []
      server.on('offline', ({ final }) => offline.push(final))
      await until(() => caught.length > 0 && offline.length > 1, 'the exception')
      assert.deepEqual(offline, [false, true])
      await close(server)
    })
    assert.equal(errors[0].message, 'undecided')
  })
})

describe('a token that is a text', TIMEOUT, () => {
  it('is told to be ending, once, by event and warning', async () => {
    const warned = []
    const hear = (warning) => warning.code === 'HYCO_ERR_TOKEN' && warned.push(warning.message)
    process.on('warning', hear)
    const server = create({ token: relay.token(10) })
    const told = []
    server.on('tokenExpiring', (info) => told.push(info))
    server.on('error', () => {})
    await once(server, 'listening')
    await until(() => told.length > 0 && warned.length > 0, 'both')
    assert.ok(told[0].left > 0 && told[0].left <= 10_000, JSON.stringify(told))
    assert.match(warned[0], /cannot be renewed/)
    assert.deepEqual([told.length, warned.length], [1, 1])
    process.removeListener('warning', hear)
    await close(server)
  })
})

describe('a loss', TIMEOUT, () => {
  it('of the relay brings the server back, and says so each time', async () => {
    let own = await TestRelay.start()
    // The port of a relay that has ended may be given to somebody else at once.
    const way = new Way(own.emulator.address.port)
    await way.open()
    const rules = [{ keyName: own.emulator.keyName, key: own.emulator.key }]
    const server = new hyco.RelayedServer({
      server: way.lead(own.listenUri('hyco')),
      token: own.token(),
      reconnect: { delays: [10], jitter: 0 },
    })
    const events = record(server)
    await once(server, 'listening')
    await own.close()
    await until(() => events.includes('error'), 'the loss')
    own = await TestRelay.start({ rules })
    way.port = own.emulator.address.port
    await until(() => server.status === 'online', 'the return')
    assert.equal(server.metrics().reconnects, 1)
    assert.deepEqual(events.slice(0, 5), ['connecting', 'online', 'listening', 'offline', 'error'])
    assert.deepEqual(events.slice(-3), ['connecting', 'online', 'listening'])
    await close(server)
    await way.close()
    await own.close()
  })
})
