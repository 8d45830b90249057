'use strict'

const { once } = require('node:events')
const { performance } = require('node:perf_hooks')

const { createRelaySendUri, createRelayToken, relayedConnect } = require('./index.js')
const { RelayedServer, startRelayEmulator } = require('./index.js')
const { invalidArgument } = require('./lib/errors')
const { now } = require('./lib/globals')
const { warnOfUnknown } = require('./lib/options/unknown')

/** What a kit is made of. */
const OPTIONS = new Set(['onConnection', 'path', 'relay', 'server'])

/**
 * Starts a relay with one hybrid connection and a server that listens there, for a test. See
 * testing.d.ts.
 *
 * @param {(Object|Function|null)} [after] Where to leave what is to be done at the end: the context of
 *     a test of node:test, or a function such as `afterAll` of Jest and Vitest. The options may stand here
 * @param {Object} [options]
 * @param {String} [options.path='test'] The hybrid connection
 * @param {Object} [options.relay] Options of `startRelayEmulator`
 * @param {Object} [options.server] Options of `RelayedServer`
 * @param {Function} [options.onConnection] A listener for `'connection'`
 * @return {Promise<RelayKit>}
 */
async function startRelayKit(after, options) {
  const [register, given] = sortArguments(after, options)
  let starting = null
  // First, since a test framework may refuse it: nothing is left open then.
  register?.(async () => {
    const kit = await starting?.catch(() => null)
    await kit?.close()
  })
  starting = start(given)
  return starting
}

/**
 * @param {Object} options
 * @return {Promise<RelayKit>} when its server is online
 */
async function start({ path = 'test', relay, server, onConnection }) {
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

/**
 * Finds out which argument is which: the options may stand alone.
 *
 * @return {Array} What leaves something to be done at the end, or `undefined`; and the options
 * @throws {TypeError} naming the argument that cannot be used
 */
function sortArguments(after, options) {
  if (isOptions(after)) {
    if ((options ?? null) !== null) {
      throw invalidArgument('after', `must be ${HOOKS}, since there are options behind it`)
    }
    options = after
    after = null
  }
  options ??= {}
  if (typeof options !== 'object') throw invalidArgument('options', 'must be an object')
  warnOfUnknown('startRelayKit', options, OPTIONS)
  return [registrar(after), options]
}

const HOOKS = 'the context of a test of node:test, or a function like afterAll of Jest and Vitest'

function isOptions(after) {
  return typeof after === 'object' && after !== null && typeof after.after !== 'function'
}

function registrar(after) {
  if (after === undefined || after === null) return undefined
  if (typeof after === 'function') {
    checkJest(after)
    return after
  }
  if (typeof after.after === 'function') return (end) => after.after(end)
  throw invalidArgument('after', `must be ${HOOKS}`)
}

/**
 * Jest takes hooks only before its tests run. Later it fails the test and forgets the hook without a
 * word to whom has called it, and the relay would stay open.
 *
 * @param {Function} hook
 * @throws {TypeError} when it is one of Jest, which forgets it
 */
function checkJest(hook) {
  if (hook !== globalThis.afterAll && hook !== globalThis.afterEach) return
  const symbol = Object.getOwnPropertySymbols(globalThis).find(
    ({ description }) => description === 'JEST_STATE_SYMBOL',
  )
  if (symbol === undefined || !globalThis[symbol]?.hasStarted) return
  throw invalidArgument(
    'after',
    "cannot be a hook of Jest inside of a test or another hook, where Jest takes no further hooks: call 'startRelayKit(null, options)' in 'beforeAll', and 'kit.close()' in 'afterAll'",
  )
}

module.exports = { RelayKit, startRelayKit }
