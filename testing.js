'use strict'

const { once } = require('node:events')
const { performance } = require('node:perf_hooks')

const { createRelaySendUri, createRelayToken, relayedConnect } = require('./index.js')
const { RelayedServer, startRelayEmulator } = require('./index.js')
const { now } = require('./lib/globals')

/**
 * Starts a relay with one hybrid connection and a server that listens there, for a test. See
 * testing.d.ts.
 *
 * @param {(Object|Function|null)} [after] Where to leave what is to be done at the end: the context of
 *     a test of node:test, or a function such as `afterAll` of Jest and Vitest
 * @param {Object} [options]
 * @param {String} [options.path='test'] The hybrid connection
 * @param {Object} [options.relay] Options of `startRelayEmulator`
 * @param {Object} [options.server] Options of `RelayedServer`
 * @param {Function} [options.onConnection] A listener for `'connection'`
 * @return {Promise<RelayKit>}
 */
async function startRelayKit(after, { path = 'test', relay, server, onConnection } = {}) {
  const register = registrar(after)
  const emulator = await startRelayEmulator({ hybridConnections: [path], ...relay })
  let kit
  try {
    kit = new RelayKit(emulator, path, server)
    if (onConnection) kit.server.on('connection', onConnection)
    await once(kit.server, 'listening')
  } catch (error) {
    await (kit ?? emulator).close()
    throw error
  }
  register?.(() => kit.close())
  return kit
}

/** A relay, a server that listens at it, and senders, which are all ended together. */
class RelayKit {
  #senders = new Set()
  #closing = null

  constructor(relay, path, options) {
    this.relay = relay
    this.path = path
    this.server = new RelayedServer({
      connectionString: relay.connectionString,
      path,
      ...(relay.certificate && { tls: { ca: relay.certificate } }),
      ...options,
    })
  }

  /** @type {String} The address of a sender */
  get sendUri() {
    return createRelaySendUri(this.relay.namespace, this.path)
  }

  /**
   * @param {Number} [seconds=3600] How long it holds
   * @return {String} A token with all rights
   */
  token(seconds = 3600) {
    // A test may have set another date, which the relay does not know of.
    const ahead = Math.round((performance.timeOrigin + now() - Date.now()) / 1000)
    return createRelayToken(this.sendUri, this.relay.keyName, this.relay.key, ahead + seconds)
  }

  /**
   * Connects a sender.
   *
   * @param {Object} [options] Options of `relayedConnect`
   * @return {Promise<RelayedSocket>} when it is open
   */
  async connect(options) {
    const { certificate } = this.relay
    const tls = certificate ? { ca: certificate } : undefined
    const sender = relayedConnect(this.sendUri, this.token(), { tls, ...options })
    this.#senders.add(sender)
    sender.once('close', () => this.#senders.delete(sender))
    await once(sender, 'open')
    return sender
  }

  /**
   * Connects a sender, and waits for what the server gets.
   *
   * @param {Object} [options] Options of `relayedConnect`
   * @return {Promise<Object>} `sender`, `socket` and `request`
   */
  async pair(options) {
    const accepted = once(this.server, 'connection')
    const sender = await this.connect(options)
    const [socket, request] = await accepted
    return { sender, socket, request }
  }

  /**
   * Ends the senders, the server and the relay. Harmless when called again.
   *
   * @return {Promise<void>} when nothing is open any more
   */
  close() {
    this.#closing ??= this.#end()
    return this.#closing
  }

  async #end() {
    const senders = [...this.#senders]
    const ends = senders.map((sender) => new Promise((resolve) => sender.once('close', resolve)))
    for (const sender of senders) {
      sender.on('error', () => {}) // of one that is still connecting
      sender.terminate()
    }
    for (const socket of this.server.clients) socket.terminate()
    await Promise.all([...ends, this.server.close()])
    await this.relay.close()
  }

  [Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose')]() {
    return this.close()
  }
}

function registrar(after) {
  if (after === undefined || after === null) return undefined
  if (typeof after === 'function') return after
  if (typeof after.after === 'function') return (end) => after.after(end)
  throw new TypeError(
    "'after' must be the context of a test of node:test, or a function like afterAll of Jest and Vitest",
  )
}

module.exports = { RelayKit, startRelayKit }
