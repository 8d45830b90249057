'use strict'

const { EventEmitter } = require('node:events')

const { publish, wanted } = require('../diagnostics')
const { CLOSED, INVALID_ARGUMENT, createError } = require('../errors')
const Happenings = require('./happenings')
const { numberOf, objectOf, toJson } = require('./options')

const kClosed = Symbol('closed')
const kTell = Symbol('tell')

/**
 * A local relay: the service side of Azure Relay Hybrid Connections, for development and tests.
 *
 * It keeps the process alive until it is closed, as a `net.Server` does.
 */
class RelayEmulator extends EventEmitter {
  #native
  #started
  #closed
  #subscribed = false

  /**
   * @param {Object} native The running emulator
   * @param {Object} started What it said when it had started
   * @param {Promise<void>} closed Settles when it has ended
   * @private
   */
  constructor(native, started, closed) {
    super()
    this.#native = native
    this.#started = started
    this.#closed = closed
  }

  /**
   * What is listened on.
   *
   * @type {{ address: String, family: String, port: Number }}
   */
  get address() {
    return this.#started.address
  }

  /**
   * What takes the place of a namespace's name in `createRelayListenUri` and its like, as
   * `ws://127.0.0.1:9400`.
   *
   * @type {String}
   */
  get namespace() {
    return this.#started.namespace
  }

  /**
   * The name of the namespace's first rule.
   *
   * @type {String}
   */
  get keyName() {
    return this.#started.keyName
  }

  /**
   * The key of that rule.
   *
   * @type {String}
   */
  get key() {
    return this.#started.key
  }

  /**
   * A connection string with that rule, for the whole namespace.
   *
   * @type {String}
   */
  get connectionString() {
    return this.#started.connectionString
  }

  /**
   * The same for TLS, where it is spoken beside plain connections or alone; otherwise `undefined`.
   *
   * @type {(String|undefined)}
   */
  get tlsNamespace() {
    return this.#started.tlsNamespace ?? undefined
  }

  /**
   * The port of TLS beside plain connections; `undefined` without `tlsPort`.
   *
   * @type {(Number|undefined)}
   */
  get tlsPort() {
    return this.#started.tlsPort ?? undefined
  }

  /**
   * A connection string over TLS, for clients that speak nothing else; `undefined` without TLS.
   *
   * @type {(String|undefined)}
   */
  get tlsConnectionString() {
    return this.#started.tlsConnectionString ?? undefined
  }

  /**
   * What clients have to trust (`tls.ca`), as PEM: the authority of the generated certificate, or the
   * certificate that was given; `undefined` without TLS.
   *
   * @type {(String|undefined)}
   */
  get certificate() {
    return this.#started.certificate ?? undefined
  }

  /**
   * The hybrid connections, with how many listeners, waiting senders and connections each has.
   *
   * @return {Object[]}
   */
  hybridConnections() {
    return this.#request('GET', 'hybridConnections')
  }

  /**
   * Creates a hybrid connection.
   *
   * @param {(String|Object)} options Its path, or `{ path, requiresClientAuthorization, rules }`
   */
  createHybridConnection(options) {
    const spec = typeof options === 'string' ? { path: options } : options
    this.#request('POST', 'hybridConnections', objectOf('options', spec))
  }

  /**
   * Deletes a hybrid connection. Its control channels and relayed sockets are closed with 1001.
   *
   * @param {String} path
   */
  deleteHybridConnection(path) {
    this.#request('DELETE', `hybridConnections/${encodeURIComponent(path)}`)
  }

  /**
   * The rules of the namespace, or of a hybrid connection.
   *
   * @param {String} [hybridConnection]
   * @return {Object[]}
   */
  rules(hybridConnection) {
    return this.#request('GET', `rules${at(hybridConnection)}`)
  }

  /**
   * Creates a rule.
   *
   * @param {Object} rule `{ keyName, key, secondaryKey, rights }`; without `key` it gets a new one
   * @param {String} [hybridConnection] Where; the namespace if it is left out
   * @return {Object} The rule
   */
  createRule(rule, hybridConnection) {
    return this.#request('POST', `rules${at(hybridConnection)}`, objectOf('rule', rule))
  }

  /**
   * Deletes a rule. Channels and sockets that are open stay open.
   *
   * @param {String} keyName
   * @param {String} [hybridConnection] Where; the namespace if it is left out
   */
  deleteRule(keyName, hybridConnection) {
    this.#request('DELETE', `rules/${encodeURIComponent(keyName)}${at(hybridConnection)}`)
  }

  /**
   * The listeners whose control channels are up. Each has `close([code[, reason]])` and `drop()`.
   *
   * @return {Object[]}
   */
  listeners() {
    return arguments.length > 0 ? super.listeners(...arguments) : this.#victims('listeners')
  }

  /**
   * The senders that wait for a listener.
   *
   * @return {Object[]}
   */
  pending() {
    return this.#request('GET', 'pending')
  }

  /**
   * The relayed connections that are open, with what went each way. Each has
   * `close([code[, reason]])` and `drop()`.
   *
   * @return {Object[]}
   */
  connections() {
    return this.#victims('connections')
  }

  /**
   * The HTTP requests that a listener was told of and that have not ended. Each has `drop()`.
   *
   * @return {Object[]}
   */
  requests() {
    return this.#request('GET', 'requests').map((request) => ({
      ...request,
      drop: () => this.#request('DELETE', `requests/${request.number}`),
    }))
  }

  /**
   * Lets something go wrong, from now on.
   *
   * @param {Object} fault What, where and how often: see docs/emulator.md
   * @return {Object} `{ id, remove() }`
   */
  setFault(fault) {
    const { id } = this.#request('POST', 'faults', objectOf('fault', fault))
    return { id, remove: () => this.removeFault(id) }
  }

  /**
   * Removes a fault, if it is still there.
   *
   * @param {Number} id What `setFault` and `faults` give
   */
  removeFault(id) {
    numberOf('id', id)
    if (this.faults().some((fault) => fault.id === id)) this.#request('DELETE', `faults/${id}`)
  }

  /**
   * The faults in force, with how often each has struck.
   *
   * @return {Object[]}
   */
  faults() {
    return this.#request('GET', 'faults')
  }

  /** Removes all faults. */
  clearFaults() {
    this.#request('DELETE', 'faults')
  }

  /**
   * What has happened, oldest first, as far as the journal holds it.
   *
   * @param {Object} [options]
   * @param {Number} [options.since=0] The serial of the last event that is not wanted
   * @return {Object[]}
   */
  journal(options = {}) {
    const { since = 0 } = objectOf('options', options)
    return this.#request('GET', `journal?since=${numberOf('since', since)}`)
  }

  /**
   * Lets the frames of a hybrid connection go into the journal, and to listeners for `'frame'`.
   *
   * @param {String} hybridConnection
   */
  record(hybridConnection) {
    this.#request('POST', 'recordings', { hybridConnection })
  }

  /**
   * Numbers in Prometheus' text format.
   *
   * @return {String}
   */
  metrics() {
    return this.#request('GET', 'metrics')
  }

  /** Between two tests: removes faults and recordings, drops what is connected, empties the journal. */
  reset() {
    this.#request('POST', 'reset', {})
  }

  /**
   * What happens from now on, for `for await`. It ends when the relay does.
   *
   * @return {AsyncIterableIterator<Object>}
   */
  [Symbol.asyncIterator]() {
    return new Happenings(this, this.#closed)
  }

  /**
   * Native events cross only when somebody listens.
   *
   * @override
   */
  on(name, listener) {
    this.#subscribe()
    return super.on(name, listener)
  }

  /**
   * Ends the emulator. Control channels and relayed sockets are closed with 1001.
   *
   * @return {Promise<void>} Resolves when all of it is down; later calls give the same promise
   */
  close() {
    this.#native.close()
    return this.#closed
  }

  /**
   * For `await using`.
   *
   * @return {Promise<void>}
   */
  [Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose')]() {
    return this.close()
  }

  /** @return {Promise<void>} Resolves when it has ended. @private */
  get [kClosed]() {
    return this.#closed
  }

  /**
   * An event has come.
   *
   * @param {String} json
   * @private
   */
  [kTell](json) {
    const event = JSON.parse(json)
    if (event.type === 'log') {
      const { level, target, message, fields } = event
      if (wanted('log')) publish('log', { relay: this, level, target, message, fields })
      return
    }
    try {
      this.emit('event', event)
    } finally {
      // A listener for 'error' is for errors.
      this.emit(event.type, event)
    }
  }

  #subscribe() {
    if (this.#subscribed) return
    this.#subscribed = true
    this.#native.subscribe()
  }

  #victims(kind) {
    return this.#request('GET', kind).map((victim) => ({
      ...victim,
      close: (code = 1001, reason = '') => {
        const query = `code=${code}&reason=${encodeURIComponent(reason)}`
        this.#request('DELETE', `${kind}/${victim.number}?${query}`)
      },
      drop: () => this.#request('DELETE', `${kind}/${victim.number}?drop`),
    }))
  }

  #request(method, target, body) {
    const answer = this.#native.request(method, target, toJson(body))
    if (answer === null) throw createError(CLOSED, 'The relay is closed.')
    if (answer.status === 200) {
      return answer.json ? JSON.parse(answer.body) : answer.body
    }
    const { error } = JSON.parse(answer.body)
    throw createError(INVALID_ARGUMENT, error, { Type: TypeError })
  }

  /**
   * Shows what can be shown: the key stays out of logs.
   *
   * @return {Object}
   */
  [Symbol.for('nodejs.util.inspect.custom')]() {
    const { address, namespace, keyName } = this
    return { address, namespace, keyName }
  }
}

/**
 * @param {String} [hybridConnection]
 * @return {String} The query that names it
 */
function at(hybridConnection) {
  if (hybridConnection === undefined) return ''
  return `?hybridConnection=${encodeURIComponent(hybridConnection)}`
}

module.exports = { RelayEmulator, kClosed, kTell }
