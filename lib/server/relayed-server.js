'use strict'

const EventEmitter = require('node:events')
const { isIP } = require('node:net')
const { inspect } = require('node:util')

const { onAbort } = require('../aborts')
const Connections = require('./connections')
const ServerCore = require('./core')
const { invalidArgument } = require('../errors')
const { forwardTarget } = require('../http/forward')
const { redact } = require('../native')
const { checkSignal } = require('../options/checks')
const { serverOptions } = require('../options/options')

// Not a private field: a proxy of a server, and what inherits from one, have to work as it does.
const kCore = Symbol('core')

/** A server that listens at a relay: where a `WebSocketServer` of ws has a port, this has an address. */
class Server extends EventEmitter {
  /**
   * Starts listening. See `RelayedServerOptions` in index.d.ts for the options.
   *
   * @param {Object} options
   * @param {Function} [onListening] A one-time listener for the `'listening'` event
   * @throws {TypeError} naming the option that cannot be used
   */
  constructor(options, onListening) {
    super()
    if (onListening !== undefined && onListening !== null) this.once('listening', onListening)
    const given = serverOptions(options)
    const { listenUri, path, spec } = given
    const core = new ServerCore(this, given)
    Object.defineProperty(this, kCore, { value: core })
    this.options = given.options
    this.path = path
    this.listenUri = listenUri
    this.clients = core.clients
    this.controlChannel = core.controlChannel
    if (redact(listenUri) !== listenUri) {
      Object.defineProperty(this, 'listenUri', { enumerable: false })
    }
    core.start(spec)
  }

  /**
   * Whether the control channel will not be opened again. A program may set it, as programs for
   * hyco-ws do: then a server that is online stays so until its control channel is lost, and one that
   * is not online ends at once. Either way `'close'` follows, and sockets that are open stay open.
   *
   * @type {Boolean}
   */
  get closeRequested() {
    return this[kCore].closeRequested
  }

  set closeRequested(value) {
    this[kCore].closeRequested = value
  }

  /**
   * `'connecting'`, `'online'`, `'offline'` (between two tries, or for good), `'closing'` or
   * `'closed'`.
   *
   * @type {String}
   */
  get status() {
    return this[kCore].status
  }

  /**
   * Stops accepting, closes the tracked clients and the control channel with 1000. Harmless when
   * called again.
   *
   * @param {Function} [callback] Called, without an argument, when all of it is down
   * @return {Promise<void>} resolved when all of it is down
   */
  close(callback) {
    if (callback !== undefined && callback !== null && typeof callback !== 'function') {
      throw invalidArgument('callback', 'must be a function')
    }
    if (callback) this[kCore].close(callback)
    return new Promise((resolve) => this[kCore].close(resolve))
  }

  /**
   * Stops accepting, waits until the sockets that are open have ended, then closes.
   *
   * @param {Object} [options]
   * @param {Number} [options.timeout] Milliseconds after which the sockets that are still open are
   *     closed with 1000; by default it waits for ever
   * @return {Promise<Boolean>} whether all sockets ended by themselves; resolved after `'close'`
   */
  async drain(options = {}) {
    // A number of milliseconds alone would be taken for no limit.
    if (options === null || typeof options !== 'object') {
      throw invalidArgument('options', 'must be an object, such as { timeout: 5000 }')
    }
    const { timeout = Infinity } = options
    if (typeof timeout !== 'number' || !(timeout >= 0)) {
      throw invalidArgument('timeout', 'must be a number of milliseconds')
    }
    checkSignal(options)
    const { signal } = options
    const end = () => this.close()
    const drained = this[kCore].drain(timeout)
    if (signal?.aborted) end()
    const forget = signal && !signal.aborted ? onAbort(signal, end) : undefined
    try {
      return await drained
    } finally {
      forget?.()
    }
  }

  /**
   * The sockets of senders, for `for await`. A socket that the loop has not taken yet is paused. A
   * failure for which the server cannot listen is thrown in the loop, instead of without a catcher.
   * Leaving the loop leaves the server open.
   *
   * @return {AsyncIterableIterator<RelayedSocket>}
   */
  [Symbol.asyncIterator]() {
    return new Connections(this, this[kCore].loops)
  }

  /**
   * Closes the server, at the end of an `await using` block.
   *
   * @return {Promise<void>}
   */
  [Symbol.asyncDispose]() {
    return this.close()
  }

  /**
   * Serves relayed HTTP requests, and senders of WebSockets if nobody listens for `'connection'`, by an
   * `http.Server` or `https.Server`. That server need not listen, and may listen as well.
   *
   * @param {(http.Server|https.Server)} server
   * @return {RelayedServer} this
   * @throws {TypeError} when something serves requests already
   */
  attach(server) {
    this[kCore].requests.attach(server)
    return this
  }

  /**
   * No longer serves requests by a server that was attached. Those that are open stay with it.
   *
   * @return {RelayedServer} this
   */
  detach() {
    this[kCore].requests.detach()
    return this
  }

  /**
   * Passes relayed HTTP requests, and senders of WebSockets if nobody listens for `'connection'`, on to a
   * server elsewhere, as a proxy does. `'forwarded'` tells of each answer.
   *
   * @param {(Number|String|URL)} target A port of this machine, `host:port`, or `http(s)://host:port`
   * @param {Object} [options]
   * @param {String} [options.host] A `Host` in place of the sender's
   * @param {Object} [options.tls] Whom to trust, as the option `tls`
   * @return {RelayedServer} this
   * @throws {TypeError} when something serves requests already
   */
  forward(target, options) {
    this[kCore].requests.forward(forwardTarget(target, options))
    return this
  }

  /**
   * Where it listens.
   *
   * @return {(Object|null)} `address` (host), `family` (`'IPv4'`, `'IPv6'`, or `''` for a name), `port`,
   *     `path` (of the hybrid connection), `secure`; `null` when closed
   */
  address() {
    if (this.status === 'closed') return null
    const url = new URL(this.listenUri)
    const secure = !['ws:', 'http:'].includes(url.protocol)
    const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port)
    const version = isIP(url.hostname.replace(/^\[|\]$/g, ''))
    const family = version === 0 ? '' : `IPv${version}`
    return { address: url.hostname, family, port, path: this.path, secure }
  }

  /**
   * Counts since the start.
   *
   * @return {Object} `accepted` senders, `rejected` ones, `failed` rendezvous; `active` sockets and
   *     `pending` decisions and rendezvous now; `reconnects` of the control channel; the numbers of HTTP
   *     requests; and `prometheus`, a method that is not listed
   */
  metrics() {
    return this[kCore].metrics()
  }

  /**
   * Keeps the process alive while listening, which is the default.
   *
   * @return {RelayedServer} this
   */
  ref() {
    this[kCore].ref()
    return this
  }

  /**
   * Lets the process end although this server listens.
   *
   * @return {RelayedServer} this
   */
  unref() {
    this[kCore].unref()
    return this
  }

  /**
   * Whether a request of an HTTP server may be upgraded here, as ws asks.
   *
   * @return {Boolean} `false`: senders come from the relay
   */
  shouldHandle() {
    return false
  }

  /**
   * There is no HTTP server whose upgrades could be handled.
   *
   * @throws {TypeError}
   */
  handleUpgrade() {
    throw invalidArgument(
      'request',
      'cannot be upgraded by a RelayedServer, whose senders come from the relay; use a WebSocketServer',
    )
  }

  /** What `console.log` shows: the state as it is, in a few lines and without secrets. */
  [inspect.custom](_depth, options, inspectValue = inspect) {
    const { listenUri, path, status, clients, closeRequested } = this
    const state = {
      status,
      listenUri: redact(listenUri),
      path,
      clients: clients.size,
      closeRequested,
      metrics: this.metrics(),
    }
    return `${this.constructor.name} ${inspectValue(state, options)}`
  }
}

/**
 * The class, callable without `new` as that of hyco-ws.
 *
 * @param {Object} options
 * @param {Function} [onListening]
 * @return {RelayedServer}
 */
function RelayedServer(options, onListening) {
  try {
    return Reflect.construct(Server, [options, onListening], new.target ?? RelayedServer)
  } catch (error) {
    // It is the caller who is to look at the options.
    if (error instanceof Error) Error.captureStackTrace(error, RelayedServer)
    throw error
  }
}

Object.setPrototypeOf(RelayedServer, EventEmitter)
RelayedServer.prototype = Server.prototype
Object.defineProperty(Server.prototype, 'constructor', { value: RelayedServer })

module.exports = RelayedServer
