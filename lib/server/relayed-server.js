'use strict'

const EventEmitter = require('node:events')

const Accept = require('./accept')
const Clients = require('./clients')
const { TOKEN, fromNative, invalidArgument } = require('../errors')
const hub = require('../hub/hub')
const { redact } = require('../native')
const { serverOptions, socketOptions } = require('../options/options')
const { MAX_DELAY } = require('../options/checks')
const { reconnectDelay } = require('../options/reconnect')
const RelayedRequest = require('./request')
const { createSocket } = require('../socket/relayed-socket')

/** How a server closes its clients, as hyco-ws does. */
const NORMAL_CLOSURE = 1000

/** One for all clients. */
const ignore = () => {}

/** A server that listens at a relay: where a `WebSocketServer` of ws has a port, this has an address. */
class Server extends EventEmitter {
  #hub = null
  #listener = null
  #reconnect
  #tokens
  #tokenError = null
  #status = 'connecting'
  #wasOnline = false
  #dialling = new Set()
  #live = new Set()
  #counts = { accepted: 0, rejected: 0, failed: 0, pending: 0, reconnects: 0 }
  #closing = false
  #closeCallbacks = []
  #emptied = []
  #stopWatchingSignal = null

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
    const { listenUri, options: complete, path, reconnect, spec, tokens } = serverOptions(options)
    this.options = complete
    this.path = path
    this.listenUri = listenUri
    this.clients = new Clients()
    this.closeRequested = false
    this.#reconnect = reconnect
    this.#tokens = tokens
    if (redact(listenUri) !== listenUri) {
      Object.defineProperty(this, 'listenUri', { enumerable: false })
    }
    const { signal } = complete
    if (signal?.aborted) {
      this.close()
      return
    }
    this.#hub = hub.current()
    this.#listener = this.#hub.listen(spec, (event) => this.#on(event))
    if (signal) this.#watch(signal)
  }

  /**
   * `'connecting'`, `'online'`, `'offline'` (between two tries, or for good), `'closing'` or
   * `'closed'`.
   *
   * @type {String}
   */
  get status() {
    return this.#status
  }

  /**
   * Stops accepting, closes the tracked clients and the control channel with 1000. Harmless when
   * called again.
   *
   * @param {Function} [callback] Called, without an argument, when all of it is down
   */
  close(callback) {
    if (callback !== undefined && callback !== null) {
      if (typeof callback !== 'function') throw invalidArgument('callback', 'must be a function')
      if (this.#status === 'closed') process.nextTick(callback)
      else this.#closeCallbacks.push(callback)
    }
    if (this.#closing) return
    this.#closing = true
    this.#stopAccepting()
    for (const socket of this.#dialling) socket.terminate()
    this.#dialling.clear()
    for (const socket of this.clients) socket.close(NORMAL_CLOSURE)
    this.#settle()
  }

  /**
   * Stops accepting, waits until the sockets that are open have ended, then closes.
   *
   * @param {Object} [options]
   * @param {Number} [options.timeout] Milliseconds after which the sockets that are still open are
   *     closed with 1000; by default it waits for ever
   * @return {Promise<Boolean>} whether all sockets ended by themselves; resolved after `'close'`
   */
  async drain({ timeout = Infinity } = {}) {
    if (typeof timeout !== 'number' || !(timeout >= 0)) {
      throw invalidArgument('timeout', 'must be a number of milliseconds')
    }
    this.#stopAccepting()
    const drained = await this.#untilEmpty(timeout)
    await new Promise((resolve) => this.close(resolve))
    return drained
  }

  /**
   * Closes the server, at the end of an `await using` block.
   *
   * @return {Promise<void>}
   */
  [Symbol.asyncDispose]() {
    return new Promise((resolve) => this.close(resolve))
  }

  /**
   * Where it listens.
   *
   * @return {(Object|null)} `address` (host), `port`, `path` (of the hybrid connection), `secure`;
   *     `null` when closed
   */
  address() {
    if (this.#status === 'closed') return null
    const url = new URL(this.listenUri)
    const secure = !['ws:', 'http:'].includes(url.protocol)
    const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port)
    return { address: url.hostname, port, path: this.path, secure }
  }

  /**
   * Counts since the start.
   *
   * @return {Object} `accepted` senders, `rejected` ones, `failed` rendezvous; `active` sockets and
   *     `pending` decisions and rendezvous now; `reconnects` of the control channel
   */
  metrics() {
    const { accepted, rejected, failed, pending, reconnects } = this.#counts
    return {
      accepted,
      rejected,
      failed,
      active: this.#live.size,
      pending: pending + this.#dialling.size,
      reconnects,
    }
  }

  /**
   * Keeps the process alive while listening, which is the default.
   *
   * @return {RelayedServer} this
   */
  ref() {
    if (this.#listener !== null) this.#hub.refListener(this.#listener)
    return this
  }

  /**
   * Lets the process end although this server listens.
   *
   * @return {RelayedServer} this
   */
  unref() {
    if (this.#listener !== null) this.#hub.unrefListener(this.#listener)
    return this
  }

  /** Acts on an event of the listener. */
  #on(event) {
    switch (event.type) {
      case 'connecting':
      case 'online':
      case 'offline':
        // How it fares is of no interest any more once it is to close.
        if (!this.closeRequested) this.#changed(event)
        break
      case 'token':
        this.#provideToken(event.request)
        break
      case 'reconnect':
        this.#decideReconnect(event)
        break
      case 'accept':
        this.#accept(event)
        break
      case 'acceptError':
        this.#counts.failed++
        this.emit('acceptError', fromNative(event.error), null)
        break
      case 'renewalFailed':
        if (this.listenerCount('error') > 0) this.emit('error', this.#errorOf(event.error))
        break
      case 'closed':
        this.#listener = null
        this.#settle()
        break
    }
  }

  /** The control channel goes up or down. */
  #changed(event) {
    this.#status = event.type
    if (event.type === 'online') this.#online(event)
    else if (event.type === 'offline') this.#offline(event)
    else this.emit('connecting', { attempt: event.attempt })
  }

  #online({ trackingId }) {
    if (this.#wasOnline) this.#counts.reconnects++
    this.#wasOnline = true
    this.#hub.guard(() => this.emit('online', { trackingId: trackingId ?? undefined }))
    this.emit('listening')
  }

  #offline({ attempt, delay, final = false, fatal = false, error: failure }) {
    const error = this.#errorOf(failure)
    this.#hub.guard(() => this.emit('offline', { attempt, delay, final, error }))
    // With nobody to hear it, a server that cannot start fails as one of Node does; it is thrown.
    const thrown = !this.#wasOnline && (final || fatal)
    if (thrown || this.listenerCount('error') > 0) this.emit('error', error)
  }

  /** The error that a failure stands for: where a token is missing, with what its function threw. */
  #errorOf(failure) {
    const isOurs = failure.code === TOKEN && this.#tokenError !== null
    return isOurs ? this.#tokenError : fromNative(failure)
  }

  #provideToken(request) {
    const provide = (given, message) => {
      if (given !== null) this.#tokenError = null
      if (this.#listener !== null) {
        this.#hub.provideToken(this.#listener, request, given, message)
      }
    }
    const answered = (given) => provide(given)
    // A failure comes back with the event of the try or of the renewal that failed for it.
    this.#tokens.fetch().then(answered, (error) => {
      this.#tokenError = error
      provide(null, error.message)
    })
  }

  #decideReconnect({ request, attempt, delay, error }) {
    let wait = delay
    try {
      const info = { attempt, delay, error: this.#errorOf(error) }
      wait = reconnectDelay(this.#reconnect.decide(info), delay)
    } finally {
      this.#hub.decideReconnect(this.#listener, request, wait)
    }
  }

  /** A sender is there: decides about it, then dials its rendezvous or refuses it. */
  #accept(event) {
    const request = new RelayedRequest(event)
    const reject = (status, message, error) => {
      this.#counts.pending--
      this.#counts.rejected++
      if (this.#listener !== null) {
        this.#hub.reject(this.#listener, event.accept, status, message)
      }
      if (error) this.#hub.guard(() => this.emit('acceptError', error, request))
      this.#settle()
    }
    this.#counts.pending++
    new Accept(request, this.options, {
      headers:
        this.listenerCount('headers') > 0 ? (lines) => this.emit('headers', lines, request) : null,
      accept: (protocol) => {
        if (this.#listener === null || this.closeRequested) {
          reject(503, 'The listener is closing')
          return
        }
        this.#counts.pending--
        this.#dial(event, request, protocol)
      },
      reject,
    }).start()
  }

  #dial(event, request, protocol) {
    const core = createSocket(event.address, socketOptions(this.options), {
      opened: (socket) => this.#opened(socket, request),
      failed: (socket, error) => this.#failed(socket, request, error),
    })
    this.#dialling.add(core.face)
    this.#hub.accept(this.#listener, event.accept, core, protocol)
  }

  #opened(socket, request) {
    this.#dialling.delete(socket)
    this.#counts.accepted++
    this.#live.add(socket)
    if (this.options.clientTracking) this.clients.add(socket)
    // As hyco-ws does: what a sender sends wrong must not end a program that does not listen for it.
    socket.on('error', ignore)
    socket.on('close', () => {
      this.#live.delete(socket)
      this.clients.delete(socket)
      this.#settle()
    })
    this.emit('connection', socket, request)
  }

  #failed(socket, request, error) {
    // Not there any more when it was given up by close().
    if (!this.#dialling.delete(socket)) return
    this.#counts.failed++
    this.#hub.guard(() => this.emit('acceptError', error, request))
    this.#settle()
  }

  #stopAccepting() {
    if (this.closeRequested) return
    this.closeRequested = true
    this.#status = 'closing'
    this.#stopWatchingSignal?.()
    if (this.#listener !== null) this.#hub.closeListener(this.#listener)
  }

  /** Goes on where something waited for sockets or for the control channel to be gone. */
  #settle() {
    if (this.#live.size === 0 && this.#dialling.size === 0) {
      for (const resolve of this.#emptied.splice(0)) resolve(true)
    }
    const isDown = this.#listener === null && this.clients.size === 0
    if (!this.#closing || !isDown || this.#status === 'closed') return
    this.#status = 'closed'
    for (const callback of this.#closeCallbacks.splice(0)) process.nextTick(callback)
    // hyco-ws gives the server to the listeners.
    process.nextTick(() => this.emit('close', this))
  }

  #untilEmpty(timeout) {
    return new Promise((resolve) => {
      if (this.#live.size === 0 && this.#dialling.size === 0) {
        resolve(true)
        return
      }
      this.#emptied.push(resolve)
      if (timeout > MAX_DELAY) return
      const timer = setTimeout(() => resolve(false), timeout)
      this.#emptied.push(() => clearTimeout(timer))
    })
  }

  #watch(signal) {
    const abort = () => this.close()
    signal.addEventListener('abort', abort, { once: true })
    this.#stopWatchingSignal = () => signal.removeEventListener('abort', abort)
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
  return Reflect.construct(Server, [options, onListening], new.target ?? RelayedServer)
}

Object.setPrototypeOf(RelayedServer, EventEmitter)
RelayedServer.prototype = Server.prototype
Object.defineProperty(Server.prototype, 'constructor', { value: RelayedServer })

module.exports = RelayedServer
