'use strict'

const assert = require('node:assert/strict')
const { readFileSync } = require('node:fs')
const { join } = require('node:path')
const { describe, it } = require('node:test')

const hyco = require('..')
const ScriptedRelay = require('./support/scripted-relay')
const { until } = require('./support/watch')

const TIMEOUT = { timeout: 60_000 }

const EVENTS = [
  'connecting',
  'online',
  'listening',
  'headers',
  'connection',
  'acceptError',
  'offline',
  'error',
  'close',
]

const SLOWLY = 'every 5 minutes'

/** When the next try comes, in the words of the table. */
function tried({ delay, final }) {
  if (final) return 'never'
  // With up to a tenth at random.
  if (delay >= 300_000 && delay <= 330_000) return SLOWLY
  return delay === 0 ? 'at once' : 'by the schedule'
}

/** The rows of the table, each with the words of its columns. */
function rows() {
  const text = readFileSync(join(__dirname, '..', 'docs', 'lifecycle.md'), 'utf8')
  const lines = text.split('\n').filter((line) => line.startsWith('| '))
  return lines.slice(2).map((line) => {
    const [state, what, events, next, again] = line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim())
    return { state, what, events: events === '—' ? [] : events.split(', '), next, again }
  })
}

/** A server at a relay that does what the test says, and what it has emitted. */
class Scene {
  events = []
  again = null

  static async start() {
    const scene = new Scene()
    scene.relay = await ScriptedRelay.start()
    return scene
  }

  /** Makes the server; `answers` are those of the relay to the first tries. */
  listen(options = {}, answers = []) {
    this.relay.answers = answers
    this.server = new hyco.RelayedServer({ server: this.relay.listenUri, token: 'any', ...options })
    for (const name of EVENTS) this.server.on(name, (info) => this.#note(name, info))
    return this
  }

  /** Lets the server come online, and forgets how it did. */
  async online(options) {
    this.listen(options)
    await this.reaches('online')
    return this.forget()
  }

  /** Forgets what was emitted. */
  forget() {
    this.events = []
    this.again = null
    return this
  }

  reaches(status) {
    return until(() => this.server.status === status, status)
  }

  #note(name, info) {
    this.events.push(name)
    if (name !== 'offline') return
    const again = tried(info)
    // What the first loss was answered with; a later one may come while the test looks.
    if (this.again === null || again === SLOWLY) this.again = again
  }
}

/** Fails the first try, and stops there. */
const failing = (options, answers) => async (scene) => {
  // The next try comes when the test is over.
  scene.listen(options, answers)
  await until(() => scene.events.includes('error'), 'the failure')
  scene.events = scene.events.slice(0, scene.events.indexOf('error') + 1)
}

/** Loses the control channel, and waits for the return. */
const losing = (lose) => async (scene) => {
  await scene.online()
  await lose(scene)
  await until(() => scene.events.at(-1) === 'listening', 'the return')
}

const ended = (scene) => until(() => scene.events.at(-1) === 'close', 'the end')

/** What each row of the table is, as a program. */
const SCENES = {
  'the relay opens the control channel': async (scene) => {
    scene.listen()
    await scene.reaches('online')
  },
  'the relay cannot be reached': failing({ server: 'ws://127.0.0.1:1/$hc/hyco' }),
  'the relay answers 401 or 403': failing({}, [[401, 'InvalidSignature: no']]),
  'the relay answers 500 or 503': failing({}, [[503, 'Busy']]),
  'the relay knows no such hybrid connection': failing({}, [
    [404, 'Endpoint does not exist. TrackingId:0e1a8f5e-0000-4000-8000-000000000000_G1'],
  ]),
  'the token function throws': failing({
    token: () => {
      throw new Error('vault is closed')
    },
  }),
  'reconnect is false, and it fails': failing({ reconnect: false }, [[503, 'Busy']]),
  'the function reconnect returns false': failing({ reconnect: () => false }, [[503, 'Busy']]),
  'connecting: you call close()': async (scene) => {
    scene.listen()
    scene.server.close()
    await ended(scene)
  },
  'a sender is accepted': async (scene) => {
    await scene.online()
    const { socket } = await scene.relay.announce()
    await until(() => scene.events.includes('connection'), 'the connection')
    socket.terminate()
  },
  'verifyClient refuses a sender': async (scene) => {
    await scene.online({ verifyClient: () => false })
    const { url } = await scene.relay.announce()
    assert.equal(url.searchParams.get('sb-hc-statusCode'), '401')
  },
  'verifyClient does not decide in time': async (scene) => {
    await scene.online({ verifyClient: () => new Promise(() => {}), acceptTimeout: 20 })
    const { url } = await scene.relay.announce()
    assert.equal(url.searchParams.get('sb-hc-statusCode'), '504')
  },
  'a sender leaves before it is met': async (scene) => {
    await scene.online()
    scene.relay.refusesAccepts = [404, 'Gone']
    await scene.relay.announce()
    await until(() => scene.server.metrics().abandoned === 1, 'it is counted')
  },
  'the relay closes the control channel with 1001': losing(({ relay }) => {
    relay.channel.close(1001, 'away')
  }),
  'the relay closes the control channel with 4000': losing(({ relay }) => {
    relay.channel.close(4000, 'moved')
  }),
  'the connection breaks': losing(({ relay }) => relay.channel.terminate()),
  'the control channel is lost with a socket open': async (scene) => {
    await scene.online()
    const { socket } = await scene.relay.announce()
    await until(() => scene.server.clients.size === 1, 'the socket')
    scene.forget()
    scene.relay.channel.terminate()
    await until(() => scene.events.at(-1) === 'listening', 'the return')
    const [client] = scene.server.clients
    assert.equal(client.readyState, hyco.OPEN)
    socket.terminate()
  },
  'the hybrid connection was deleted meanwhile': async (scene) => {
    await scene.online()
    scene.relay.answers = [
      [404, 'Endpoint does not exist. TrackingId:0e1a8f5e-0000-4000-8000-000000000000_G1'],
    ]
    scene.relay.channel.terminate()
    await until(() => scene.events.filter((name) => name === 'error').length === 2, 'the answer')
  },
  'closeRequested is true, and the channel is lost': async (scene) => {
    await scene.online()
    scene.server.closeRequested = true
    scene.relay.channel.terminate()
    await ended(scene)
  },
  'online: you call close()': async (scene) => {
    await scene.online()
    scene.server.close()
    await ended(scene)
  },
  'you call drain(), and the last socket ends': async (scene) => {
    await scene.online()
    const { socket } = await scene.relay.announce()
    await until(() => scene.server.clients.size === 1, 'the socket')
    scene.forget()
    const drained = scene.server.drain()
    socket.close(1000)
    assert.equal(await drained, true)
    await ended(scene)
  },
  'the signal is aborted': async (scene) => {
    const controller = new AbortController()
    await scene.online({ signal: controller.signal })
    controller.abort()
    await ended(scene)
  },
  'the next try succeeds': async (scene) => {
    scene.listen({ reconnect: { delays: [100], jitter: 0 } }, [[503, 'Busy']])
    // The next try may have begun when the test looks.
    await until(() => scene.events.includes('listening'), 'the next try')
    scene.events = scene.events.slice(scene.events.indexOf('error') + 1)
    scene.again = null
  },
  'you set closeRequested': async (scene) => {
    scene.listen({ reconnect: { delays: [60_000] } }, [[503, 'Busy']])
    await scene.reaches('offline')
    scene.forget().server.closeRequested = true
    await ended(scene)
  },
  'offline: you call close()': async (scene) => {
    scene.listen({ reconnect: { delays: [60_000] } }, [[503, 'Busy']])
    await scene.reaches('offline')
    scene.forget().server.close()
    await ended(scene)
  },
  'you call close() again': async (scene) => {
    await scene.online()
    await scene.server.close()
    await ended(scene)
    scene.forget()
    await scene.server.close()
  },
}

describe('the table of docs/lifecycle.md', TIMEOUT, () => {
  const all = rows()

  it('has a row for each scene, and a scene for each row', () => {
    const names = all.map(({ state, what }) => (what in SCENES ? what : `${state}: ${what}`))
    assert.deepEqual(names.sort(), Object.keys(SCENES).sort())
  })

  for (const { state, what, events, next, again } of all) {
    it(`${state}: ${what}`, async () => {
      const scene = await Scene.start()
      try {
        await (SCENES[what] ?? SCENES[`${state}: ${what}`])(scene)
        // A server that has just started says that it is connecting; that is where the row begins.
        const starts = state === 'connecting' && scene.events[0] === 'connecting'
        assert.deepEqual(starts ? scene.events.slice(1) : scene.events, events)
        // By then the next try may be under way.
        const { status } = scene.server
        if (again === 'at once' && next === 'offline') {
          assert.ok(['connecting', 'offline', 'online'].includes(status), status)
        } else {
          assert.equal(status, next)
        }
        if (scene.again !== null) assert.equal(scene.again, again)
      } finally {
        await scene.server.close()
        await scene.relay.close()
      }
    })
  }
})
