'use strict'

const { randomBytes } = require('node:crypto')

const { invalidArgument, invalidOption } = require('../errors')
const {
  checkCount,
  checkDuration,
  checkSignal,
  checkText,
  checkType,
  definedOnly,
} = require('../options/checks')
const { warnOfUnknown } = require('../options/unknown')

const RIGHTS = ['Listen', 'Send', 'Manage']
const LONGEST_NAME = 256

const TAKER = 'startRelayEmulator'
const TLS_OPTIONS = new Set(['cert', 'key', 'folder'])
const HYBRID_CONNECTION_OPTIONS = new Set(['path', 'requiresClientAuthorization', 'rules'])
const RULE_OPTIONS = new Set(['keyName', 'key', 'secondaryKey', 'rights'])

/** What holds without options. */
const DEFAULTS = {
  host: '127.0.0.1',
  port: 0,
  tls: false,
  tlsPort: undefined,
  acceptJwt: false,
  remoteAdmin: false,
  ui: true,
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
  channelLifetime: 86_400_000,
  keepAliveInterval: 210_000,
  closeTimeout: 60_000,
  sendTimeout: 60_000,
  responseTimeout: 60_000,
  forwardHost: true,
  reuseRendezvous: false,
  signal: undefined,
}

/** The options that have an effect. */
const OPTIONS = new Set(Object.keys(DEFAULTS))

/** Options in milliseconds that cannot be zero. */
const TIMES = [
  'handshakeTimeout',
  'acceptTimeout',
  'closeTimeout',
  'sendTimeout',
  'responseTimeout',
]

/** A generated key has as many random bytes as one of Azure. */
const KEY_BYTES = 32

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
  warnOfUnknown(TAKER, options ?? {}, OPTIONS)
  const { clockSkewSeconds, tls, signal, ...rest } = { ...DEFAULTS, ...definedOnly(options) }
  checkText(rest, 'host')
  checkPort(rest, 'port')
  if (rest.tlsPort !== undefined) checkPort(rest, 'tlsPort')
  for (const name of ['acceptJwt', 'remoteAdmin', 'ui']) checkType(rest, name, 'boolean')
  checkList(rest, 'hosts')
  for (const host of rest.hosts) checkText({ hosts: host }, 'hosts')
  if (rest.publicUrl !== undefined) checkText(rest, 'publicUrl')
  for (const name of ['maxListeners', 'maxConnections']) checkPositive(rest, name)
  checkCount({ clockSkewSeconds }, 'clockSkewSeconds')
  checkCount(rest, 'maxFrame')
  checkType(rest, 'forwardHost', 'boolean')
  checkType(rest, 'reuseRendezvous', 'boolean')
  for (const name of TIMES) checkDuration(rest, name)
  for (const name of ['renewalGrace', 'channelLifetime', 'keepAliveInterval']) {
    checkDuration(rest, name, { zero: true })
  }
  checkList(rest, 'hybridConnections')
  checkSignal({ signal })
  return {
    ...rest,
    signal: signal ?? undefined,
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
  warnOfUnknown(`${TAKER} tls`, tls, TLS_OPTIONS)
  const { cert, key, folder } = tls
  if (folder !== undefined) {
    checkText({ 'tls.folder': folder }, 'tls.folder')
    return { folder }
  }
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
  if (!isObject(given)) {
    throw invalidOption('hybridConnections', 'must hold strings or objects')
  }
  warnOfUnknown(`${TAKER} hybridConnections`, given, HYBRID_CONNECTION_OPTIONS)
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
    if (!isObject(rule)) {
      throw invalidOption(option, 'must hold objects')
    }
    warnOfUnknown(`${TAKER} ${option}`, rule, RULE_OPTIONS)
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
 * @param {String} name The option that must be a port
 */
function checkPort(options, name) {
  const port = options[name]
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw invalidOption(name, 'must be an integer from 0 to 65535')
  }
}

/**
 * @return {String} A key of 44 characters
 */
function newKey() {
  return randomBytes(KEY_BYTES).toString('base64')
}

/**
 * @param {String} name The argument
 * @param {*} value
 * @return {Object} The value, which is an object
 * @throws {TypeError} that names the argument
 */
function objectOf(name, value) {
  if (isObject(value)) return value
  throw invalidArgument(name, 'must be an object')
}

/**
 * @param {*} value
 * @return {Boolean} Whether it is an object and no list
 */
function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * What crosses as JSON.
 *
 * @param {*} value
 * @return {String} Empty for `undefined`
 * @throws {TypeError} that names a number which JSON does not have: it would be taken for left out
 */
function toJson(value) {
  const check = (name, member) => {
    if (typeof member === 'bigint' || (typeof member === 'number' && !Number.isFinite(member))) {
      throw invalidArgument(name, `must be a finite number, and not ${member}`)
    }
    return member
  }
  return JSON.stringify(value, check) ?? ''
}

/**
 * @param {String} name The argument
 * @param {*} value
 * @return {Number} The value, which can be a number that the relay has given
 * @throws {TypeError} that names the argument
 */
function numberOf(name, value) {
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw invalidArgument(name, 'must be a number that the relay has given')
}

module.exports = { OPTIONS, emulatorSpec, numberOf, objectOf, toJson }
