'use strict'

const http = require('node:http')

const { textOf } = require('../errors')
const { nextTick } = require('../globals')
const { serverOptions } = require('../options/options')
const RelayedServer = require('../server/relayed-server')

/** Events of the relay's side that the server passes on. */
const PASSED_ON = ['connecting', 'online', 'offline', 'listening', 'requestError', 'acceptError']

/**
 * An `http.Server` that listens at a relay instead of a port, with the interface of hyco-https: it
 * starts with `listen()`. Everything else is as `node:http` has it.
 *
 * @extends http.Server
 */
class RelayHttpsServer extends http.Server {
  #relayed = null
  #final = false

  /**
   * @param {Object} options As `RelayedServer` takes them
   * @param {Function} [requestListener] A listener for the `'request'` event
   * @throws {TypeError} naming the option that cannot be used
   */
  constructor(options, requestListener) {
    // The limits of Node are meant for connections from anywhere; here the relay has its own.
    super({ maxHeaderSize: 64 * 1024, requestTimeout: 0 }, requestListener)
    const { listenUri, path } = serverOptions(options)
    this.options = options
    this.listenUri = listenUri
    this.path = path
  }

  /** The server at the relay; `null` before `listen()` and after `close()`. @type {(RelayedServer|null)} */
  get relayed() {
    return this.#relayed
  }

  /** @type {Boolean} */
  get listening() {
    return this.#relayed?.status === 'online'
  }

  /** `close()` was called. @type {Boolean} */
  get closeRequested() {
    return this.#relayed === null || this.#relayed.closeRequested
  }

  /**
   * Starts to listen at the relay.
   *
   * @param {...*} args The last one, if it is a function, is called once when it listens. Others, such as
   *     a port, have no meaning here
   * @return {RelayHttpsServer} this
   * @throws {Error} when it listens already
   */
  listen(...args) {
    if (this.#relayed !== null) {
      const error = new Error('Listen method has been called more than once without closing.')
      throw Object.assign(error, { code: 'ERR_SERVER_ALREADY_LISTEN' })
    }
    const callback = args.findLast((arg) => typeof arg === 'function')
    if (callback) this.once('listening', () => callWarily(callback, this))
    const relayed = new RelayedServer(this.options)
    relayed.attach(this)
    this.#relayed = relayed
    for (const event of PASSED_ON) relayed.on(event, (...given) => this.emit(event, ...given))
    relayed.on('offline', ({ final }) => {
      this.#final = final
    })
    relayed.on('error', (error) => {
      // One that is tried again ends no program that does not listen for it.
      if (this.#final || this.listenerCount('error') > 0) this.emit('error', error)
    })
    relayed.on('close', () => {
      this.#relayed = null
      this.emit('close')
    })
    return this
  }

  /**
   * Stops listening and gives up open requests; the relayed server's `drain()` lets them finish before.
   *
   * @param {Function} [callback] Called when all of it is down
   * @return {RelayHttpsServer} this
   */
  close(callback) {
    if (typeof callback === 'function') {
      if (this.#relayed === null) nextTick(callback)
      else this.once('close', () => callback())
    }
    this.#relayed?.close()
    return this
  }

  /** Closes it, at the end of an `await using` block. @return {Promise<void>} */
  [Symbol.asyncDispose]() {
    return new Promise((resolve) => this.close(resolve))
  }

  /** Where it listens. @return {(Object|null)} As that of `RelayedServer` */
  address() {
    return this.#relayed === null ? null : this.#relayed.address()
  }

  /** Keeps the process alive while it listens. @return {RelayHttpsServer} this */
  ref() {
    this.#relayed?.ref()
    return this
  }

  /** Lets the process end although it listens. @return {RelayHttpsServer} this */
  unref() {
    this.#relayed?.unref()
    return this
  }
}

/**
 * Calls the callback of `listen()`. hyco-https never does, so a mistake in it has been unseen: that in the
 * samples of hyco-https, which print a `port` that they do not have. It is no reason to end the server.
 *
 * @param {Function} callback
 * @param {RelayHttpsServer} server
 */
function callWarily(callback, server) {
  try {
    callback.call(server)
  } catch (error) {
    process.emitWarning(
      `The callback of listen() threw: ${textOf(error)}. The server listens all the same.`,
      { type: 'RelayedServerWarning', detail: error?.stack },
    )
  }
}

/**
 * The class, callable without `new` as that of hyco-https.
 *
 * @param {Object} options
 * @param {Function} [requestListener]
 * @return {RelayHttpsServer}
 */
function Server(options, requestListener) {
  return Reflect.construct(RelayHttpsServer, [options, requestListener], new.target ?? Server)
}

Object.setPrototypeOf(Server, http.Server)
Server.prototype = RelayHttpsServer.prototype
Object.defineProperty(RelayHttpsServer.prototype, 'constructor', { value: Server })

module.exports = Server
