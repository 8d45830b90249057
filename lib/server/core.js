'use strict'

const Accept = require('./accept')
const Clients = require('./clients')
const ControlChannel = require('./control-channel')
const { bind } = require('../context')
const { TOKEN, fromNative } = require('../errors')
const { clearTimeout, nextTick, setTimeout } = require('../globals')
const hub = require('../hub/hub')
const { socketOptions } = require('../options/options')
const { MAX_DELAY } = require('../options/checks')
const { reconnectDelay } = require('../options/reconnect')
const RelayedRequest = require('./request')
const Silence = require('./silence')
const { callSite } = require('../socket/connect-errors')
const { createSocket } = require('../socket/relayed-socket')

/** How a server closes its clients, as hyco-ws does. */
const NORMAL_CLOSURE = 1000

/** One for all clients. */
const ignore = () => {}

/**
 * What is behind a `RelayedServer`: its listener, the senders that it decides about, and its end. The
 * server itself is a face, which may be wrapped or inherited from.
 */
class ServerCore {
  clients = new Clients()
  controlChannel = new ControlChannel(() => this.status)
  status = 'connecting'
  /** The `for await` loops over its connections, which a failure ends. */
  loops = new Set()
  #server
  #options
  #reconnect
  #tokens
  #hub = null
  #listener = null
  #tokenError = null
  #silence
  #blame
  #wasOnline = false
  #counts = { accepted: 0, rejected: 0, failed: 0, reconnects: 0 }

  /** Senders about which a handler decides. */
  #undecided = new Set()
  /** Sockets whose rendezvous is dialled. */
  #dialling = new Set()
  /** Sockets that are open. */
  #live = new Set()

  /** `closeRequested`, as the program sees and sets it. */
  #closeRequested = false
  /** No sender is accepted any more. */
  #stopped = false
  /** `close()` was called. */
  #closing = false
  #closeCallbacks = []
  #emptied = []
  #stopWatchingSignal = null
  /** In the context in which the server was made, whoever is the last to end. */
  #emitClose = bind(() => this.#server.emit('close', this.#server))

  /**
   * @param {RelayedServer} server Emits what happens
   * @param {Object} given As `serverOptions` returns it
   */
  constructor(server, { options, reconnect, tokens }) {
    this.#server = server
    this.#options = options
    this.#reconnect = reconnect
    this.#tokens = tokens
    this.#silence = new Silence(server)
    // What fails later fails in another thread: its stack is that of the one who made the server.
    this.#blame = callSite(server.constructor)
  }

  /**
   * Starts to listen, unless the option `signal` is aborted already.
   *
   * @param {Object} spec For the hub
   */
  start(spec) {
    const { signal } = this.#options
    if (signal?.aborted) {
      this.close()
      return
    }
    this.#hub = hub.current()
    this.#listener = this.#hub.listen(
      spec,
      bind((event) => this.#on(event)),
    )
    if (signal) this.#watch(signal)
  }

  /** Whether the control channel will not be opened again. */
  get closeRequested() {
    return this.#closeRequested || this.#stopped
  }

  set closeRequested(value) {
    this.#closeRequested = Boolean(value)
    if (this.#listener !== null) this.#hub.stayDown(this.#listener, this.#closeRequested)
    // A try that is under way may succeed, as with hyco-ws; what fails is not tried again.
    if (this.#closeRequested && this.status === 'offline') this.#stopRedialling()
  }

  /** @return {Object} what `RelayedServer.metrics` gives */
  metrics() {
    return {
      ...this.#counts,
      active: this.#live.size,
      pending: this.#undecided.size + this.#dialling.size,
    }
  }

  /** Keeps the process alive while it listens. */
  ref() {
    if (this.#listener !== null) this.#hub.refListener(this.#listener)
  }

  /** Lets the process end although it listens. */
  unref() {
    if (this.#listener !== null) this.#hub.unrefListener(this.#listener)
  }

  /**
   * Stops accepting, closes the tracked clients and the control channel.
   *
   * @param {Function} [callback] Called when all of it is down
   */
  close(callback) {
    if (callback) {
      if (this.#closing && this.status === 'closed') nextTick(callback)
      else this.#closeCallbacks.push(bind(callback))
    }
    if (this.#closing) return
    this.#closing = true
    this.#stopAccepting()
    const ended = this.#isEmpty()
    for (const resolve of this.#emptied.splice(0)) resolve(ended)
    for (const socket of this.#dialling) socket.terminate()
    this.#dialling.clear()
    for (const socket of this.clients) socket.close(NORMAL_CLOSURE)
    this.#settle()
  }

  /**
   * Stops accepting, waits until the sockets that are open have ended, then closes.
   *
   * @param {Number} timeout Milliseconds until the sockets that are still open are closed
   * @return {Promise<Boolean>} whether all sockets ended by themselves
   */
  async drain(timeout) {
    this.#stopAccepting()
    const drained = await this.#untilEmpty(timeout)
    await new Promise((resolve) => this.close(resolve))
    return drained
  }

  /** Acts on an event of the listener. */
  #on(event) {
    switch (event.type) {
      case 'connecting':
      case 'online':
      case 'offline':
        // How it fares is of no interest any more once it is to close.
        if (!this.#stopped) this.#changed(event)
        break
      case 'token':
        this.#provideToken(event.request)
        break
      case 'reconnect':
        this.#decideReconnect(event)
        break
      case 'accept':
        this.#decide(event)
        break
      case 'acceptError':
        this.#counts.failed++
        this.#server.emit('acceptError', fromNative(event.error), null)
        break
      case 'renewalFailed':
        if (this.#hears('error')) this.#server.emit('error', this.#errorOf(event.error))
        break
      case 'closed':
        for (const decision of this.#undecided) decision.giveUp()
        this.#listener = null
        this.#settle()
        break
    }
  }

  /** The control channel goes up or down. */
  #changed(event) {
    this.status = event.type
    if (event.type === 'online') this.#online(event)
    else if (event.type === 'offline') this.#offline(event)
    else this.#server.emit('connecting', { attempt: event.attempt })
  }

  #online({ trackingId }) {
    if (this.#wasOnline) this.#counts.reconnects++
    this.#wasOnline = true
    this.#silence.online()
    this.#hub.guard(() => this.controlChannel.opened())
    this.#hub.guard(() => this.#server.emit('online', { trackingId: trackingId ?? undefined }))
    this.#server.emit('listening')
  }

  #offline({ attempt, delay, final = false, fatal = false, error: failure }) {
    const error = this.#errorOf(failure)
    this.#hub.guard(() => this.controlChannel.failed(error))
    this.#hub.guard(() => this.#server.emit('offline', { attempt, delay, final, error }))
    if (this.#closeRequested) this.#stopRedialling()
    // With nobody to hear it, a server that cannot start fails as one of Node does; it is thrown.
    const thrown = !this.#wasOnline && (final || fatal)
    const caught = thrown && this.loops.size > 0
    if (thrown || final) for (const loop of this.loops) loop.fail(error)
    if ((thrown && !caught) || this.#hears('error')) this.#server.emit('error', error)
    else if (!caught && !this.#stopped) this.#silence.offline(error, { delay, final })
  }

  /** The error that a failure stands for: where a token is missing, with what its function threw. */
  #errorOf(failure) {
    const isOurs = failure.code === TOKEN && this.#tokenError !== null
    return isOurs ? this.#tokenError : this.#blame(fromNative(failure))
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
  #decide(event) {
    const request = new RelayedRequest(event)
    const decision = new Accept(request, this.#options, {
      headers: this.#hears('headers')
        ? (lines) => this.#server.emit('headers', lines, request)
        : null,
      accept: (protocol, headers) => {
        this.#undecided.delete(decision)
        this.#dial(event, request, protocol, headers)
      },
      reject: (status, message, error) => {
        this.#undecided.delete(decision)
        this.#counts.rejected++
        this.#hub.reject(this.#listener, event.accept, status, message)
        if (error) this.#hub.guard(() => this.#server.emit('acceptError', error, request))
      },
    })
    this.#undecided.add(decision)
    if (this.#stopped) decision.giveUp()
    else decision.start()
  }

  #dial(event, request, protocol, headers) {
    const core = createSocket(event.address, socketOptions(this.#options), {
      opened: (socket) => this.#opened(socket, request),
      failed: (socket, error) => this.#failed(socket, request, error),
    })
    this.#dialling.add(core.face)
    this.#hub.accept(this.#listener, event.accept, core, protocol, headers)
  }

  #opened(socket, request) {
    this.#dialling.delete(socket)
    this.#counts.accepted++
    this.#live.add(socket)
    if (this.#options.clientTracking) this.clients.add(socket)
    // As hyco-ws does: what a sender sends wrong must not end a program that does not listen for it.
    socket.on('error', ignore)
    socket.on('close', () => {
      this.#live.delete(socket)
      this.clients.delete(socket)
      this.#settle()
    })
    this.#server.emit('connection', socket, request)
  }

  #failed(socket, request, error) {
    // Not there any more when it was given up by close().
    if (!this.#dialling.delete(socket)) return
    this.#counts.failed++
    this.#hub.guard(() => this.#server.emit('acceptError', error, request))
    this.#settle()
  }

  /** The program has set `closeRequested`, and the control channel is down. */
  #stopRedialling() {
    this.#stopAccepting()
    this.#settle()
  }

  #stopAccepting() {
    if (this.#stopped) return
    this.#stopped = true
    this.#silence.stop()
    this.status = 'closing'
    for (const decision of this.#undecided) decision.giveUp()
    if (this.#listener !== null) this.#hub.closeListener(this.#listener)
  }

  /** Goes on where something waited for sockets or for the control channel to be gone. */
  #settle() {
    if (this.#isEmpty()) for (const resolve of this.#emptied.splice(0)) resolve(true)
    // A server that drains is stopped, and ends when it is closed.
    const ends = this.#closing || (this.#stopped && this.#closeRequested)
    if (!ends || this.#listener !== null || (this.#closing && this.clients.size > 0)) return
    for (const callback of this.#closeCallbacks.splice(0)) nextTick(callback)
    if (this.status === 'closed') return
    this.status = 'closed'
    this.#stopWatchingSignal?.()
    nextTick(() => this.controlChannel.closed())
    // hyco-ws gives the server to the listeners.
    nextTick(this.#emitClose)
  }

  #isEmpty() {
    return this.#live.size === 0 && this.#dialling.size === 0
  }

  #untilEmpty(timeout) {
    return new Promise((resolve) => {
      if (this.#isEmpty()) {
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

  #hears(event) {
    return this.#server.listenerCount(event) > 0
  }
}

module.exports = ServerCore
