'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { after, afterEach, describe, it } = require('node:test')
const { setTimeout: sleep } = require('node:timers/promises')

const hyco = require('..')
const Cli = require('./support/cli')
const { until } = require('./support/watch')

const TIMEOUT = { timeout: 600_000 }

/** How often the relay is killed; a run of its own may take more: the figures of the documents are of 100. */
const KILLS = Number(process.env.HYCO_KILLS ?? 8)
const SENDERS = 4

/** A relay in a process of its own, which is killed and comes back at the same port. */
class MortalRelay {
  #program = null
  #port = 0

  /** Starts it, at the port that it had. */
  async start() {
    while (this.#program === null) {
      // Below the ports that systems choose by themselves, so that nobody takes it meanwhile.
      const port = this.#port || 15_000 + Math.floor(Math.random() * 15_000)
      const program = new Cli(['emulator', '--port', String(port), '--json', '--no-tls'])
      const said = await program.says(/^\{.*"listening".*\}$/m).catch(() => null)
      if (said === null) {
        assert.match(program.stderr, /cannot listen on/)
        assert.equal(this.#port, 0, 'somebody has taken the port')
        continue
      }
      const [{ connectionString }] = JSON.parse(said[0]).hybridConnections
      this.connectionString = connectionString
      this.#program = program
      this.#port = port
    }
  }

  /** Kills the process, which has no time to say anything. */
  async kill() {
    const program = this.#program
    this.#program = null
    await program?.end()
  }

  /** How many control channels it has. */
  async channels() {
    const answer = await fetch(`http://127.0.0.1:${this.#port}/$admin/listeners`)
    return (await answer.json()).length
  }
}

/** Senders that connect again and again, and talk as long as they can. */
class Load {
  #relay
  #ends = false
  #done = []

  /** Whether the relay and its listener are there, as far as the test knows, and since which kill. */
  up = null
  opened = 0
  closed = 0
  echoed = 0
  /** Failures of senders while the relay and its listener were there. */
  refused = []

  constructor(relay) {
    this.#relay = relay
  }

  start() {
    this.#done = Array.from({ length: SENDERS }, () => this.#talk())
  }

  end() {
    this.#ends = true
    return Promise.all(this.#done)
  }

  async #talk() {
    while (!this.#ends) {
      const begun = this.up
      const error = await this.#connect()
      if (error && begun !== null && this.up === begun) this.refused.push(error)
      await sleep(5)
    }
  }

  /** Connects, and talks a while; the error of a socket that could not be opened. */
  #connect() {
    const { connectionString } = this.#relay
    const socket = hyco.relayedConnect(null, { connectionString })
    let failure = null
    let wasOpen = false
    let left = 20
    socket.on('open', () => {
      wasOpen = true
      this.opened++
      socket.send('hello')
    })
    socket.on('message', (data) => {
      assert.equal(String(data), 'hello')
      this.echoed++
      left--
      if (left === 0 || this.#ends) socket.close(1000)
      else socket.send('hello')
    })
    socket.on('error', (error) => {
      failure = error
    })
    return new Promise((resolve) => {
      socket.on('close', (code) => {
        if (wasOpen) this.closed++
        resolve(code === 1000 ? null : (failure ?? new Error(`closed with ${code}`)))
      })
    })
  }
}

describe('a relay whose process is killed', TIMEOUT, () => {
  const relay = new MortalRelay()
  const ending = []

  afterEach(async () => {
    while (ending.length > 0) await ending.pop()()
  })

  after(() => relay.kill())

  it(`is met again each of ${KILLS} times, under load, by one channel`, async () => {
    await relay.start()
    const server = new hyco.RelayedServer({
      connectionString: relay.connectionString,
      reconnect: { delays: [0, 20], jitter: 0 },
    })
    ending.push(() => server.close())
    let accepted = 0
    let ended = 0
    const told = []
    server.on('error', () => {})
    server.on('online', () => told.push('online'))
    server.on('offline', ({ attempt, final }) => {
      assert.equal(final, false)
      // Those that follow are tries while the relay is away.
      if (attempt === 0) told.push('lost')
    })
    server.on('connection', (socket) => {
      accepted++
      socket.on('error', () => {})
      socket.on('close', () => ended++)
      socket.on('message', (data) => socket.send(data))
    })
    await once(server, 'listening')
    const load = new Load(relay)
    ending.push(() => load.end())
    load.start()

    const returns = []
    for (let kill = 0; kill < KILLS; kill++) {
      load.up = kill
      const talked = load.echoed
      await until(() => load.echoed > talked + SENDERS, `load before kill ${kill}`)
      assert.equal(await relay.channels(), 1)
      load.up = null
      const lost = once(server, 'offline')
      await relay.kill()
      await lost
      await relay.start()
      const since = performance.now()
      await until(() => server.status === 'online', `the return after kill ${kill}`)
      returns.push(performance.now() - since)
    }
    load.up = KILLS
    const talked = load.echoed
    await until(() => load.echoed > talked + SENDERS, 'load after the last kill')
    assert.equal(await relay.channels(), 1)
    await load.end()

    assert.deepEqual(load.refused, [])
    assert.deepEqual(
      told,
      Array.from({ length: 2 * KILLS + 1 }, (_, at) => (at % 2 === 0 ? 'online' : 'lost')),
    )
    assert.equal(server.metrics().reconnects, KILLS)
    assert.equal(load.opened, load.closed, 'each sender has learned its end')
    await until(() => ended === accepted, 'each accepted socket has ended')
    const { active, pending } = server.metrics()
    assert.deepEqual(
      { active, pending, clients: server.clients.size },
      { active: 0, pending: 0, clients: 0 },
    )
    if (process.env.HYCO_KILLS) {
      const sorted = returns.sort((one, other) => one - other)
      console.log(
        `${KILLS} kills: online again ${Math.round(sorted[KILLS >> 1])} ms after the relay (median), ` +
          `${Math.round(sorted.at(-1))} ms at most; ${accepted} sockets accepted, ${load.echoed} messages`,
      )
    }
  })
})
