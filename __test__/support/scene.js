'use strict'

const { once } = require('node:events')
const http = require('node:http')
const net = require('node:net')
const WebSocket = require('ws')

const hyco = require('../..')
const TestRelay = require('./relay')
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

/** A server at a local relay with faults, and what it has emitted. */
class Scene {
  events = []
  again = null
  /** The same of each loss, in order. */
  agains = []
  controller = new AbortController()
  #ending = []

  static async start() {
    const scene = new Scene()
    // Two, so that a test can use up the quota.
    scene.relay = await TestRelay.start({ maxListeners: 2 })
    return scene
  }

  /** Makes the server; the relay refuses so many of its first tries with 503. */
  listen(options = {}, refused = 0) {
    if (refused > 0) this.fault({ kind: 'refuse', action: 'listen', status: 503, count: refused })
    this.server = this.another(options)
    for (const name of EVENTS) this.server.on(name, (info) => this.#note(name, info))
    return this
  }

  /** A server at the same hybrid connection. */
  another(options) {
    const { relay } = this
    const given = { server: relay.listenUri('hyco'), token: () => relay.token(), ...options }
    const server = new hyco.RelayedServer(given)
    this.#ending.push(() => server.close())
    return server
  }

  fault(fault) {
    return this.relay.emulator.setFault(fault)
  }

  /** Loses the control channel, once. */
  lose() {
    this.fault({ kind: 'drop', on: 'control', count: 1 })
  }

  /** The headers by which the relay knows a sender. */
  get senderHeaders() {
    return { ServiceBusAuthorization: this.relay.token() }
  }

  /** A sender, a client of `ws`. */
  send() {
    const sender = new WebSocket(this.relay.sendUri('hyco'), { headers: this.senderHeaders })
    sender.on('error', () => {})
    this.#ending.push(() => sender.terminate())
    return sender
  }

  /** A sender that is refused; the status that it hears. */
  async refusal() {
    const [, response] = await once(this.send(), 'unexpected-response')
    response.resume()
    return response.statusCode
  }

  /** The response to an HTTP request. */
  async request() {
    const url = this.relay.namespace.replace(/^ws/, 'http') + '/hyco'
    const [response] = await once(
      http.get(url, { agent: false, headers: this.senderHeaders }),
      'response',
    )
    return response
  }

  /** A relay that never answers: where to listen there, and the connections that came. */
  async silence() {
    const sockets = []
    const silent = net.createServer((socket) => sockets.push(socket.on('error', () => {})))
    silent.listen(0, '127.0.0.1')
    await once(silent, 'listening')
    this.#ending.push(() => {
      for (const socket of sockets) socket.destroy()
      silent.close()
    })
    const server = `ws://127.0.0.1:${silent.address().port}/$hc/hyco?sb-hc-action=listen`
    return { server, sockets }
  }

  /** Ends everything. */
  async close() {
    for (const end of this.#ending) await end()
    await this.relay.close()
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
