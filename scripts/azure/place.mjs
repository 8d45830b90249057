// Where the checks run: a hybrid connection, and listeners and senders of it that are closed after each.

import { once } from 'node:events'
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
const WebSocket = require('ws')
const hyco = require('../../index.js')
const { parseConnectionString } = require('../../lib/options/options.js')

export class Place {
  #ends = []

  /** @param {String} connectionString With an EntityPath, a rule and its key */
  constructor(connectionString) {
    const { address, keyName, key } = parseConnectionString(connectionString, null)
    const url = new URL(address)
    this.connectionString = connectionString
    this.keyName = keyName
    this.key = key
    this.path = decodeURIComponent(url.pathname.replace(/^\/\$hc\//, ''))
    this.host = url.host
    this.namespace = `${url.protocol}//${url.host}`
    this.isLocal = url.protocol === 'ws:'
  }

  /** A listener of the package that is online. */
  async listen(options, onConnection) {
    const server = hyco.createRelayedServer(
      { connectionString: this.connectionString, ...options },
      onConnection,
    )
    this.#ends.push(() => server.close())
    server.on('error', () => {})
    await Promise.race([
      once(server, 'listening'),
      once(server, 'offline').then(([{ error }]) => Promise.reject(error)),
    ])
    return server
  }

  /** A sender of the package that is open. */
  async connect({ suffix = '', ...options } = {}) {
    const address = hyco.createRelaySendUri(this.namespace, this.path + suffix)
    const sender = hyco.relayedConnect(address, this.token(), options)
    this.#ends.push(() => sender.terminate())
    await once(sender, 'open')
    return sender
  }

  /**
   * A WebSocket of `ws`, of which every word is the check's own: what the relay answers to its handshake.
   *
   * @param {String} action `'listen'`, `'connect'`, or another query
   * @param {Object} [options] `headers`, `suffix`, `token` and options of ws
   * @return {Promise<Object>} `socket` when it is open, else `status` and `reason`
   */
  raw(action, { headers, suffix = '', token = this.token(), query, ...options } = {}) {
    const base = hyco.createRelayBaseUri(this.namespace, this.path + suffix)
    return this.dial(`${base}?${query ?? `sb-hc-action=${action}`}`, {
      perMessageDeflate: false,
      ...options,
      headers: { ...(token && { ServiceBusAuthorization: token }), ...headers },
    })
  }

  /** Dials an address, with `ws`. */
  dial(address, options = { perMessageDeflate: false }) {
    const socket = new WebSocket(address, options)
    this.#ends.push(() => socket.terminate())
    socket.on('error', () => {})
    return new Promise((resolve, reject) => {
      socket.once('open', () => resolve({ socket }))
      socket.once('unexpected-response', (request, { statusCode, statusMessage }) => {
        request.destroy()
        resolve({ status: statusCode, reason: statusMessage })
      })
      socket.once('error', reject)
    })
  }

  /** An HTTP request to a listener. */
  async fetch(target = '', { headers, token = this.token(), ...init } = {}) {
    const url = `${this.namespace.replace(/^ws/, 'http')}/${this.path}${target}`
    const all = { ...(token && { ServiceBusAuthorization: token }), ...headers }
    const leaving = new AbortController()
    this.#ends.push(() => leaving.abort())
    return fetch(url, { ...init, headers: all, signal: leaving.signal })
  }

  /** A token with the rights of the rule; of another key or for another address where that is asked. */
  token(seconds = 300, key = this.key, uri = hyco.createRelaySendUri(this.namespace, this.path)) {
    return hyco.createRelayToken(uri, this.keyName, key, seconds)
  }

  /** Leaves something to be done after the check. */
  after(end) {
    this.#ends.push(end)
  }

  /** Closes what a check has opened. */
  async tidy() {
    const ends = this.#ends.splice(0)
    await Promise.allSettled(ends.map((end) => end()))
  }
}
