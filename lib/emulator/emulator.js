'use strict'

const { randomBytes } = require('node:crypto')

const { fromNative, invalidOption } = require('../errors')
const native = require('../native')
const { checkCount, checkDuration, checkText, definedOnly } = require('../options/checks')

const RIGHTS = ['Listen', 'Send', 'Manage']
const LONGEST_NAME = 256

/** A generated key has as many random bytes as one of Azure. */
const KEY_BYTES = 32

/**
 * A local relay: the service side of Azure Relay Hybrid Connections, for development and tests.
 *
 * It keeps the process alive until it is closed, as a `net.Server` does.
 */
class RelayEmulator {
  #native
  #started
  #closed

  /**
   * @param {Object} native The running emulator
   * @param {Object} started What it said when it had started
   * @param {Promise<void>} closed Settles when it has ended
   * @private
   */
  constructor(native, started, closed) {
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
   * What clients have to trust (`tls.ca`), as PEM: the authority of the generated certificate, or the
   * certificate that was given; `undefined` without TLS.
   *
   * @type {(String|undefined)}
   */
  get certificate() {
    return this.#started.certificate ?? undefined
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
 * Starts a local relay.
 *
 * @param {Object} [options] Configuration options
 * @param {String} [options.host='127.0.0.1'] The address to listen on
 * @param {Number} [options.port=0] The port to listen on; 0 takes a free one
 * @param {(Boolean|Object)} [options.tls=false] Whether to speak TLS: `true` makes a certificate
 * @param {(String|Buffer)} [options.tls.cert] The certificate with its chain, as PEM
 * @param {(String|Buffer)} [options.tls.key] Its private key, as PEM
 * @param {Array<(String|Object)>} [options.hybridConnections=['hyco']] The hybrid connections: paths,
 *     or objects `{ path, requiresClientAuthorization = true, rules = [] }`
 * @param {Object[]} [options.rules] The rules of the namespace:
 *     `{ keyName, key, secondaryKey, rights = ['Listen', 'Send', 'Manage'] }`. Without rules there is
 *     `RootManageSharedAccessKey`; a rule without a key gets a new one
 * @param {String[]} [options.hosts=[]] Further host names that tokens may be signed for
 * @param {String} [options.publicUrl] Scheme, host and port in the addresses that listeners dial;
 *     by default those by which they came
 * @param {Number} [options.maxListeners=25] How many listeners a hybrid connection may have
 * @param {Number} [options.maxConnections=16384] How many connections may be open
 * @param {Number} [options.maxFrame=32768] The longest frame that is passed on whole; longer ones are
 *     cut into fragments, as Azure does; 0 cuts none
 * @param {Number} [options.clockSkewSeconds=0] How long after its end a token opens a handshake
 * @param {Number} [options.handshakeTimeout=10000] Milliseconds for TLS, and for a request's head
 * @param {Number} [options.acceptTimeout=30000] How long a sender waits for a listener
 * @param {Number} [options.renewalGrace=120000] How long a control channel may outlive its token
 * @param {Number} [options.keepAliveInterval=210000] The pause between two Pongs on a control
 *     channel; 0 sends none
 * @param {Number} [options.closeTimeout=60000] How long the second close frame may take
 * @param {Number} [options.sendTimeout=60000] How long a client may take nothing of what it is sent
 * @return {Promise<RelayEmulator>} Rejects with a TypeError for an option of the wrong kind
 */
async function startRelayEmulator(options) {
  const spec = emulatorSpec(options)
  return new Promise((resolve, reject) => {
    let ended
    const closed = new Promise((resolve) => {
      ended = resolve
    })
    const emulator = new native.RelayEmulator(spec, (json) => {
      const event = JSON.parse(json)
      if (event.type === 'started') resolve(new RelayEmulator(emulator, event, closed))
      else {
        emulator.release()
        ended()
      }
      if (event.type === 'failed') reject(fromNative(event.error))
    })
  })
}

/**
 * Checks the options and gives them the form in which they cross.
 *
 * @param {Object} [options]
 * @return {Object}
 * @throws {TypeError} naming the option that is wrong
 */
function emulatorSpec(options) {
  if (options !== undefined && (options === null || typeof options !== 'object')) {
    throw invalidOption('options', 'must be an object')
  }
  const { clockSkewSeconds, tls, ...rest } = {
    host: '127.0.0.1',
    port: 0,
    tls: false,
    hybridConnections: ['hyco'],
    rules: [],
    hosts: [],
    publicUrl: undefined,
    maxListeners: 25,
    maxConnections: 16384,
    maxFrame: 32 * 1024,
    clockSkewSeconds: 0,
    handshakeTimeout: 10_000,
    acceptTimeout: 30_000,
    renewalGrace: 120_000,
    keepAliveInterval: 210_000,
    closeTimeout: 60_000,
    sendTimeout: 60_000,
    ...definedOnly(options),
  }
  checkText(rest, 'host')
  checkPort(rest)
  checkList(rest, 'hosts')
  for (const host of rest.hosts) checkText({ hosts: host }, 'hosts')
  if (rest.publicUrl !== undefined) checkText(rest, 'publicUrl')
  for (const name of ['maxListeners', 'maxConnections']) checkPositive(rest, name)
  checkCount({ clockSkewSeconds }, 'clockSkewSeconds')
  checkCount(rest, 'maxFrame')
  for (const name of ['handshakeTimeout', 'acceptTimeout', 'closeTimeout', 'sendTimeout']) {
    checkDuration(rest, name)
  }
  for (const name of ['renewalGrace', 'keepAliveInterval'])
    checkDuration(rest, name, { zero: true })
  checkList(rest, 'hybridConnections')
  return {
    ...rest,
    clockSkew: clockSkewSeconds,
    tls: tlsSpec(tls),
    hybridConnections: rest.hybridConnections.map(hybridConnectionSpec),
    rules: ruleSpecs(rest, 'rules'),
  }
}

/**
 * @param {(Boolean|Object)} tls
 * @return {(Object|undefined)}
 */
function tlsSpec(tls) {
  if (tls === false || tls === null) return undefined
  if (tls === true) return {}
  if (typeof tls !== 'object') throw invalidOption('tls', 'must be a boolean or an object')
  const { cert, key } = tls
  if (cert === undefined && key === undefined) return {}
  return { cert: pem(cert, 'tls.cert'), key: pem(key, 'tls.key') }
}

/**
 * @param {(String|Buffer)} value
 * @param {String} name The option
 * @return {String}
 */
function pem(value, name) {
  if (typeof value === 'string') return value
  if (Buffer.isBuffer(value)) return value.toString('utf8')
  throw invalidOption(name, 'must be a string or a Buffer with PEM')
}

/**
 * @param {(String|Object)} connection
 * @return {Object}
 */
function hybridConnectionSpec(connection) {
  const given = typeof connection === 'string' ? { path: connection } : connection
  if (given === null || typeof given !== 'object') {
    throw invalidOption('hybridConnections', 'must hold strings or objects')
  }
  const spec = { requiresClientAuthorization: true, rules: [], ...definedOnly(given) }
  if (typeof spec.path !== 'string' || spec.path === '') {
    throw invalidOption('hybridConnections.path', 'must be a non-empty string')
  }
  if (typeof spec.requiresClientAuthorization !== 'boolean') {
    throw invalidOption('hybridConnections.requiresClientAuthorization', 'must be a boolean')
  }
  spec.rules = ruleSpecs(spec, 'rules', 'hybridConnections.')
  return spec
}

/**
 * @param {Object} options
 * @param {String} name The option with the rules
 * @param {String} [prefix] What stands before its name in errors
 * @return {Object[]}
 */
function ruleSpecs(options, name, prefix = '') {
  checkList(options, name, prefix)
  const option = prefix + name
  return options[name].map((rule) => {
    if (rule === null || typeof rule !== 'object') {
      throw invalidOption(option, 'must hold objects')
    }
    const { keyName, key = newKey(), secondaryKey, rights = RIGHTS } = rule
    checkSecret(keyName, `${option}.keyName`)
    checkSecret(key, `${option}.key`)
    if (secondaryKey !== undefined) checkSecret(secondaryKey, `${option}.secondaryKey`)
    if (!Array.isArray(rights) || !rights.every((right) => RIGHTS.includes(right))) {
      throw invalidOption(`${option}.rights`, "must hold 'Listen', 'Send' or 'Manage'")
    }
    const [listen, send, manage] = RIGHTS.map((right) => rights.includes(right))
    return { keyName, key, secondaryKey, listen, send, manage }
  })
}

/**
 * @param {*} value A name or a key; it is never shown
 * @param {String} name The option
 */
function checkSecret(value, name) {
  if (typeof value !== 'string' || value === '' || value.length > LONGEST_NAME) {
    throw invalidOption(name, `must be a string of 1 to ${LONGEST_NAME} characters`)
  }
}

/**
 * @param {Object} options
 * @param {String} name The option that must be an array
 * @param {String} [prefix] What stands before its name in errors
 */
function checkList(options, name, prefix = '') {
  if (!Array.isArray(options[name])) throw invalidOption(prefix + name, 'must be an array')
}

/**
 * @param {Object} options
 * @param {String} name The option that must be a count above zero
 */
function checkPositive(options, name) {
  const value = options[name]
  if (!Number.isInteger(value) || value < 1 || value > 0xffffffff) {
    throw invalidOption(name, 'must be a positive integer')
  }
}

/**
 * @param {Object} options
 */
function checkPort({ port }) {
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw invalidOption('port', 'must be an integer from 0 to 65535')
  }
}

/**
 * @return {String} A key of 44 characters
 */
function newKey() {
  return randomBytes(KEY_BYTES).toString('base64')
}

module.exports = { RelayEmulator, startRelayEmulator }
