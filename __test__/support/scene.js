'use strict'

const hyco = require('../..')
const ScriptedRelay = require('./scripted-relay')
const { until } = require('./watch')

const EVENTS = [
  'connecting',
  'online',
  'listening',
  'headers',
  'connection',
  'acceptError',
  'request',
  'requestError',
  'tokenExpiring',
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

/** A server at a relay that does what the test says, and what it has emitted. */
class Scene {
  events = []
  again = null
  /** The same of each loss, in order. */
  agains = []
  controller = new AbortController()

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
    await until(() => this.events.includes('listening'), 'online')
    // What has come since then is kept, however late the test looks.
    this.events = this.events.slice(this.events.indexOf('listening') + 1)
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
    this.agains.push(again)
    // What the first loss was answered with; a later one may come while the test looks.
    if (this.again === null || again === SLOWLY) this.again = again
  }
}

module.exports = Scene
