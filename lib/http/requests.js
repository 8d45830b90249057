'use strict'

const http = require('node:http')

const { wanted } = require('../diagnostics')
const { HANDLER, createError, invalidArgument, invalidOption, textOf } = require('../errors')
const { redact } = require('../native')
const { createFetchListener } = require('./fetch')
const Gateway = require('./gateway')

/** The relay passes headers of 32 KiB, of which Node takes half by default. */
const MAX_HEADER_SIZE = 64 * 1024

/**
 * Who serves the HTTP requests of a server: an `http.Server` that was attached, or one of its own
 * behind `fetch` and the `'request'` event. There is always a single path, through an `http.Server`.
 */
class Requests {
  #face
  #attached = null
  #fetchServer = null
  #eventServer = null
  #gateway = null
  #link = null
  #failed
  #listener = null
  #spec = null
  #forwarding = null
  /** How many were passed on, once that is over. */
  #passedOn = 0
  #hub = null
  /** Requests that were passed on keep the process, although its server listens no more. */
  #holds = false

  /**
   * @param {RelayedServer} face Emits `'request'`
   * @param {Object} options Those of the server
   */
  constructor(face, options) {
    this.#face = face

    if (options.httpServer !== null) this.attach(options.httpServer, 'httpServer', invalidOption)
    if (options.fetch !== null) {
      if (this.#attached !== null) {
        throw invalidOption('fetch', "cannot be given together with 'httpServer'")
      }
      const listener = createFetchListener(options.fetch, this.#bodyFailed.bind(this))
      this.#fetchServer = this.#createServer(listener)
    }
    face.on('newListener', (name) => {
      if (name === 'request' && this.#taken !== null) throw isTaken('listener', invalidArgument)
    })
  }

  /** How many requests are open. @type {Number} */
  get size() {
    return this.#gateway === null ? 0 : this.#gateway.size + this.#openElsewhere()
  }

  /** How many there were. @type {Number} */
  get total() {
    if (this.#gateway === null) return 0
    if (this.#forwarding === null) return this.#gateway.total
    return this.#link === null ? this.#passedOn : this.#listener.totalRequests()
  }

  /** Lets answers of requests that are passed on elsewhere be told, if anybody wants to know. */
  reportServed() {
    if (this.#forwarding === null || this.#link === null) return
    const isHeard = this.#face.listenerCount('forwarded') > 0 || wanted('request:end')
    this.#listener.reportServed(isHeard)
  }

  /** Whether a sender of a WebSocket meets a server, and not `'connection'` listeners. @type {Boolean} */
  get takesUpgrades() {
    if (this.#face.listenerCount('connection') > 0) return false
    return this.#forwarding !== null || this.#server() !== null
  }

  /**
   * Serves requests by a server from now on.
   *
   * @param {(http.Server|https.Server)} server
   * @param {String} [name] What the argument is called
   * @param {Function} [invalid] Makes the error
   */
  attach(server, name = 'server', invalid = invalidArgument) {
    if (!isServer(server)) {
      throw invalid(
        name,
        'must be an http.Server or https.Server; of the app of a framework make one by http.createServer(app)',
      )
    }
    this.checkFree(name, invalid)
    this.#attached = server
  }

  /** Requests are no longer served by an attached server; those that are open stay there. */
  detach() {
    this.#attached = null
  }

  /**
   * @param {String} name What wants to serve
   * @param {Function} [invalid] Makes the error
   * @throws {TypeError} when something serves already
   */
  checkFree(name, invalid = invalidArgument) {
    if (this.#taken !== null || this.#face.listenerCount('request') > 0) {
      throw isTaken(name, invalid)
    }
  }

  /**
   * Takes the requests of a listener.
   *
   * @param {Hub} hub
   * @param {Listener} listener
   * @param {Object} spec For the hub
   * @param {Function} changed Called when a request has ended
   * @param {Function} tell Tells those who have subscribed to such events
   * @param {Function} failed Tells that a request failed: the error, and what is known of the request
   */
  start(hub, listener, spec, changed, tell, failed) {
    this.#failed = failed
    this.#hub = hub
    this.#listener = listener
    this.#spec = spec
    this.#gateway = new Gateway(hub, () => this.#server(), changed, tell)
    this.#link = listener.serve(this.#gateway, spec)
    if (this.#forwarding === null) return
    listener.forward(this.#forwarding, spec)
    this.reportServed()
  }

  /**
   * Passes requests on to a server elsewhere.
   *
   * @param {Object} forwarding As `forwardTarget` gives it
   */
  forward(forwarding) {
    this.checkFree('target')
    this.#listener?.forward(forwarding, this.#spec)
    this.#forwarding = forwarding
    // Each answer would cost the event loop something, so they are told only to those who listen.
    this.#face.on('newListener', (name) => {
      if (name === 'forwarded' && this.#link !== null) this.#listener.reportServed(true)
    })
    this.reportServed()
  }

  /** Lets the end of those that are passed on elsewhere be told, of which JavaScript knows nothing. */
  drain() {
    if (this.#forwarding === null || this.#link === null) return
    const isOpen = this.#openElsewhere() > 0
    if (isOpen) this.#listener.watchRequests()
    this.#keep(isOpen)
  }

  /**
   * A sender of a WebSocket meets the upgrade of the server.
   *
   * @param {Object} event What the relay says about it
   */
  upgrade({ accept, id, headers, remoteAddress, remotePort }) {
    this.#listener.upgrade(accept, {
      id,
      headers,
      remoteAddress: remoteAddress ?? '',
      remotePort: remotePort ?? 0,
    })
  }

  /** Gives up what is open. */
  destroy() {
    // First, so that senders are told that the listener is closed, and not that its server failed.
    this.#listener?.endRequests()
    this.#gateway?.destroy()
  }

  /** Nothing is open, and nothing comes any more. */
  stop() {
    if (this.#link === null) return
    this.#keep(false)
    this.#listener.unserve(this.#link)
    if (this.#forwarding !== null) {
      this.#passedOn = this.total
      this.#listener.unforward()
    }
    this.#link = null
  }

  /** What serves requests, if that is no listener. */
  get #taken() {
    return this.#attached ?? this.#fetchServer ?? this.#forwarding
  }

  #keep(holds) {
    if (holds === this.#holds) return
    this.#holds = holds
    if (holds) this.#hub.hold()
    else this.#hub.release()
  }

  #openElsewhere() {
    return this.#forwarding === null ? 0 : this.#listener.openRequests()
  }

  /** The server for a new request, or `null`. */
  #server() {
    const server = this.#attached ?? this.#fetchServer
    if (server !== null) return server
    if (this.#face.listenerCount('request') === 0) return null
    this.#eventServer ??= this.#createServer((req, res) => this.#emit(req, res))
    return this.#eventServer
  }

  /** Emits `'request'`, and sees what a listener's promise rejects with. */
  #emit(req, res) {
    req.trackingId = req.socket.trackingId
    const answers = this.#face
      .rawListeners('request')
      .map((listener) => Reflect.apply(listener, this.#face, [req, res]))
    const promises = answers.filter((answer) => typeof answer?.then === 'function')
    return promises.length === 0 ? undefined : Promise.all(promises)
  }

  /**
   * A server that is bound to no port.
   *
   * @param {Function} listener What it returns, if it is a promise, rejects with what it failed with
   * @return {http.Server}
   */
  #createServer(listener) {
    const options = { maxHeaderSize: MAX_HEADER_SIZE, requestTimeout: 0, headersTimeout: 0 }
    return http.createServer(options, (req, res) => {
      const { socket } = req
      const answer = listener(req, res)
      if (typeof answer?.then !== 'function') return
      answer.then(undefined, (error) => {
        if (socket.abandoned) {
          this.#failedLate(error, socket)
          return
        }
        socket.threw()
        // It goes on rejecting, as it would with a server of the program's own.
        throw error
      })
    })
  }

  /** A handler failed after its request was over: no sender may end the program by leaving. */
  #failedLate(cause, socket) {
    if (isEndOfRequest(cause)) return
    this.#tellFailure('a handler failed after its request had ended', cause, socket)
  }

  /** The body of a response broke off. It may come from elsewhere, so it ends no program either. */
  #bodyFailed(cause, socket) {
    if ((socket.abandoned || socket.answered) && isEndOfRequest(cause)) return
    this.#tellFailure('the body of a response failed', cause, socket)
  }

  #tellFailure(what, cause, { trackingId, remoteAddress, remotePort }) {
    const error = createError(HANDLER, `${what}: ${redact(textOf(cause))}`, { cause })
    this.#failed(error, { trackingId, remoteAddress, remotePort })
  }
}

/** The error for a second one that wants to serve. */
function isTaken(name, invalid) {
  return invalid(
    name,
    "cannot serve requests: one of attach(), 'fetch', 'request' listeners and forward() does already",
  )
}

/** Whether it has what an http.Server has. The app of a framework often emits events, too. */
function isServer(server) {
  return ['emit', 'listeners', 'address', 'setTimeout'].every(
    (name) => typeof server?.[name] === 'function',
  )
}

/** What a handler meets that still reads or writes when its request ends. */
const ENDS = new Set([
  'ABORT_ERR',
  'ECONNRESET',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_PREMATURE_CLOSE',
])

/** How far the causes of an error are followed. */
const MOST_CAUSES = 8

/** Whether an error only says that the request has ended. */
function isEndOfRequest(error) {
  for (let count = 0; count < MOST_CAUSES && error instanceof Error; count++) {
    if (error.name === 'AbortError' || ENDS.has(error.code)) return true
    error = error.cause
  }
  return false
}

module.exports = Requests
