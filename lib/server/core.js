'use strict'

const { onAbort } = require('../aborts')
const ControlChannel = require('./control-channel')
const { bind } = require('../context')
const { publish, wanted } = require('../diagnostics')
const { TOKEN, fromNative } = require('../errors')
const { clearTimeout, nextTick, now, setTimeout } = require('../globals')
const Requests = require('../http/requests')
const hub = require('../hub/hub')
const { MAX_DELAY } = require('../options/checks')
const { metricsOf } = require('./metrics')
const Questions = require('./questions')
const Senders = require('./senders')
const Silence = require('./silence')
const { callSite } = require('../socket/connect-errors')

/** How a server closes its clients, as hyco-ws does. */
const NORMAL_CLOSURE = 1000

/**
 * What is behind a `RelayedServer`: its listener, the senders that it decides about, and its end. The
 * server itself is a face, which may be wrapped or inherited from.
 */
class ServerCore {
  controlChannel = new ControlChannel(() => this.status)
  status = 'connecting'
  /** The `for await` loops over its connections, which a failure ends. */
  loops = new Set()
  #server
  #options
  #questions
  #hub = null
  #listener = null
  #silence
  #wasOnline = false
  #reconnects = 0
  /** By which the relay knows the control channel that was up last; before that, the id of the listener. */
  #trackingId
  #senders
  #serving
  #failedRequests = 0

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
  constructor(server, { options, reconnect, serving, spec, tokens }) {
    this.#server = server
    this.#options = options
    this.#trackingId = spec.id
    this.#silence = new Silence(server)
    const tell = (name, message) => this.#tell(name, message)
    this.#senders = new Senders(server, options, tell, () => this.#settle())
    this.#serving = serving
    /** The HTTP requests. */
    this.requests = new Requests(server, options)
    // What fails later fails in another thread: its stack is that of the one who made the server.
    this.#questions = new Questions({ tokens, reconnect, blame: callSite(server.constructor) })
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
    this.#questions.comeFrom(this.#listener)
    this.#senders.comeFrom(this.#hub, this.#listener)
    const settle = () => this.#settle()
    const tell = (name, exchange) => this.#tellOfRequest(name, exchange)
    const failed = (error, info) => this.#failRequest(error, info)
    this.requests.start(this.#hub, this.#listener, this.#serving, settle, tell, failed)
    if (signal) this.#watch(signal)
  }

  /** @return {Clients} the tracked sockets */
  get clients() {
    return this.#senders.clients
  }

  /** Whether the control channel will not be opened again. */
  get closeRequested() {
    return this.#closeRequested || this.#stopped
  }

  set closeRequested(value) {
    this.#closeRequested = Boolean(value)
    this.#listener?.stayDown(this.#closeRequested)
    // A try that is under way may succeed, as with hyco-ws; what fails is not tried again.
    if (this.#closeRequested && this.status === 'offline') this.#stopRedialling()
  }

  /** @return {Object} what `RelayedServer.metrics` gives */
  metrics() {
    const counts = {
      ...this.#senders.metrics(),
      reconnects: this.#reconnects,
      requests: this.requests.total,
      activeRequests: this.requests.size,
      failedRequests: this.#failedRequests,
    }
    return metricsOf(counts, { path: this.#server.path, online: this.status === 'online' })
  }

  /** Keeps the process alive while it listens. */
  ref() {
    this.#listener?.ref()
  }

  /** Lets the process end although it listens. */
  unref() {
    this.#listener?.unref()
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
    // Before the control channel is closed, by which the senders are told.
    this.requests.destroy()
    this.#stopAccepting()
    const ended = this.#isEmpty()
    for (const resolve of this.#emptied.splice(0)) resolve(ended)
    this.#senders.giveUp()
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
    // Those that `close()` has closed already do not end by themselves.
    const areClosed = this.#closing && !this.#isEmpty()
    this.#stopAccepting()
    const drained = await this.#untilEmpty(timeout)
    await new Promise((resolve) => this.close(resolve))
    return drained && !areClosed
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
        this.#questions.token(event)
        break
      case 'reconnect':
        this.#questions.reconnect(event)
        break
      case 'accept':
        if (!this.#stopped && this.requests.takesUpgrades) this.requests.upgrade(event)
        else this.#senders.decide(event, this.#stopped)
        break
      case 'acceptError':
        this.#senders.unmet(fromNative(event.error), null)
        break
      case 'requestFailed':
        this.#requestFailed(event)
        break
      case 'served': {
        const { method, url, statusCode, duration } = event
        this.#tell('request:end', { method, url, statusCode, duration })
        this.#hub.guard(() => this.#server.emit('forwarded', { method, url, statusCode, duration }))
        break
      }
      case 'tokenExpiring':
        this.#tokenExpiring(event.left)
        break
      case 'renewed':
        this.#tell('listener:renewed', { trackingId: this.#trackingId })
        break
      case 'renewalFailed':
        if (this.#hears('error')) this.#server.emit('error', this.#questions.errorOf(event.error))
        break
      case 'idle':
        this.requests.drain()
        this.#settle()
        break
      case 'log': {
        const { level, target, message, fields, spans } = event
        const trackingId = fields.tracking_id ?? spans['listener.id']
        this.#tell('log', { trackingId, level, target, message, fields })
        break
      }
      case 'closed':
        this.#questions.comeFrom(null)
        this.#senders.refuseUndecided()
        this.#listener = null
        this.requests.drain()
        this.#settle()
        break
    }
  }

  /** The control channel goes up or down. */
  #changed(event) {
    this.status = event.type
    if (event.type === 'online') this.#online(event)
    else if (event.type === 'offline') this.#offline(event)
    else this.#connecting(event)
  }

  #connecting({ attempt }) {
    this.#tell('listener:connecting', { attempt, trackingId: this.#trackingId })
    this.#server.emit('connecting', { attempt })
  }

  #online({ trackingId }) {
    if (this.#wasOnline) this.#reconnects++
    this.#wasOnline = true
    this.requests.reportServed()
    this.#silence.online()
    this.#trackingId = trackingId ?? this.#trackingId
    this.#tell('listener:online', { trackingId: this.#trackingId })
    this.#hub.guard(() => this.controlChannel.opened())
    this.#hub.guard(() => this.#server.emit('online', { trackingId: trackingId ?? undefined }))
    this.#server.emit('listening')
  }

  #offline({ attempt, delay, final = false, fatal = false, error: failure }) {
    const error = this.#questions.errorOf(failure)
    const trackingId = error.trackingId ?? this.#trackingId
    this.#tell('listener:offline', { attempt, delay, final, error, trackingId })
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

  /** A token that cannot be renewed is about to end: told once, while something can be done. */
  #tokenExpiring(left) {
    process.emitWarning(
      `The token of the RelayedServer for '${this.#server.path}' ends in ${Math.round(left / 1000)} s ` +
        'and cannot be renewed. Give a function, a key or a credential instead of a text.',
      { type: 'RelayedServerWarning', code: TOKEN },
    )
    this.#server.emit('tokenExpiring', { left })
  }

  #requestFailed({ error, trackingId, remoteAddress, remotePort }) {
    const info = {
      trackingId,
      remoteAddress: remoteAddress ?? undefined,
      remotePort: remotePort ?? undefined,
    }
    this.#failRequest(fromNative(error), info)
  }

  #failRequest(failure, info) {
    this.#failedRequests++
    this.#tell('request:error', { ...info, error: failure })
    this.#hub.guard(() => this.#server.emit('requestError', failure, info))
  }

  #tellOfRequest(name, { trackingId, remoteAddress, remotePort, since }) {
    if (!wanted(name)) return
    const message = { trackingId, remoteAddress, remotePort }
    if (name === 'request:end') message.duration = now() - since
    this.#tell(name, message)
  }

  #isEmpty() {
    return this.#senders.isEmpty() && this.requests.size === 0
  }

  /** Tells those who have subscribed to such events. */
  #tell(name, message) {
    if (wanted(name)) publish(name, { server: this.#server, ...message })
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
    this.#senders.refuseUndecided()
    this.#listener?.close()
    this.requests.drain()
  }

  /** Goes on where something waited for sockets or for the control channel to be gone. */
  #settle() {
    if (this.#isEmpty()) for (const resolve of this.#emptied.splice(0)) resolve(true)
    // A server that drains is stopped, and ends when it is closed.
    const ends = this.#closing || (this.#stopped && this.#closeRequested)
    if (!ends || this.#listener !== null || (this.#closing && this.clients.size > 0)) return
    if (this.#closing && this.requests.size > 0) return
    if (this.requests.size === 0) this.requests.stop()
    for (const callback of this.#closeCallbacks.splice(0)) nextTick(callback)
    if (this.status === 'closed') return
    this.status = 'closed'
    this.#stopWatchingSignal?.()
    nextTick(() => this.controlChannel.closed())
    this.#tell('listener:closed', { trackingId: this.#trackingId })
    // hyco-ws gives the server to the listeners.
    nextTick(this.#emitClose)
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
    this.#stopWatchingSignal = onAbort(signal, () => this.close())
  }

  #hears(event) {
    return this.#server.listenerCount(event) > 0
  }
}

module.exports = ServerCore
