'use strict'

const { randomUUID } = require('node:crypto')

const { version } = require('../../package.json')
const { INVALID_ADDRESS, INVALID_OPTION, createError, invalidOption } = require('../errors')
const native = require('../native')
const { checkAction, entityPath, parseAddress } = require('./address')
const checks = require('./checks')
const { checkContradictions } = require('./contradictions')
const { needsTls, proxySpec } = require('./proxy')
const { reconnectPolicy } = require('./reconnect')
const { tlsSpecWhere } = require('./tls')
const { createKeySource, createTokenSource } = require('./token')
const { warnOfUnknown } = require('./unknown')

/** How this package names itself to the relay. */
const USER_AGENT = `hyco-rs/${version} (${process.platform}; node ${process.versions.node})`

/** Milliseconds for the control channel to open (docs/protocol.md, 7.1). */
const OPEN_TIMEOUT = 60_000

/** The options that a socket takes, with the defaults of ws. */
const SOCKET_DEFAULTS = {
  allowSynchronousEvents: true,
  autoPong: true,
  closeTimeout: 30_000,
  keepAliveInterval: 30_000,
  maxFragments: 16 * 1024,
  maxPayload: 100 * 1024 * 1024,
  maxPendingAutoPongs: 60,
  skipUTF8Validation: false,
}

/** What the native side can count; nobody gets there. */
const MOST_FRAGMENTS = 2 ** 32 - 1

/** How several cookies of one answer are sent. */
const COOKIES = new Set(['variants', 'array', 'first'])

const SERVER_DEFAULTS = {
  ...SOCKET_DEFAULTS,
  acceptTimeout: 20_000,
  backlog: null,
  clientTracking: true,
  connectionString: null,
  disableHixie: false,
  fetch: null,
  handleProtocols: null,
  httpServer: null,
  id: null,
  key: null,
  keyName: null,
  maxConcurrentDials: 4096,
  maxPendingAccepts: 4096,
  maxRequests: 1024,
  path: null,
  perMessageDeflate: false,
  reconnect: true,
  responseFlushDelay: 50,
  responseTimeout: 60_000,
  server: null,
  setCookie: 'variants',
  stripPath: false,
  token: null,
  verifyClient: null,
}

/** What else a server takes. `keepAliveTimeout` is what hyco-https calls `keepAliveInterval`. */
const KNOWN = new Set([
  ...Object.keys(SERVER_DEFAULTS),
  'keepAliveTimeout',
  'openTimeout',
  'proxy',
  'signal',
  'tls',
  'tokenScope',
])

/** These can be read, but listing or printing the options passes over them. */
const SECRETS = ['connectionString', 'key', 'tls', 'token']

/**
 * Checks the options of a `RelayedServer`.
 *
 * @param {Object} given What the user passed
 * @return {Object} `options` (complete, for the user to see), `listenUri`, `path`, `url` (a `URL`),
 *     `reconnect` (a policy), `tokens` (a token source) and `spec` (for the hub)
 * @throws {TypeError} naming the option that cannot be used
 */
function serverOptions(given) {
  const options = { ...SERVER_DEFAULTS, ...checks.definedOnly(given) }
  warnOfUnknown('RelayedServer', options, KNOWN)
  checkContradictions(options)
  if (options.connectionString === null && options.server === null && given?.server !== null) {
    checkAsked(given)
  }
  const target = options.connectionString === null ? fromServer(options) : fromString(options)
  options.keepAliveInterval = keepAliveInterval(options, given)
  if (options.openTimeout === undefined) options.openTimeout = OPEN_TIMEOUT
  checkSocketOptions(options)
  checks.checkDuration(options, 'acceptTimeout')
  checks.checkBound(options, 'maxConcurrentDials')
  checks.checkBound(options, 'maxPendingAccepts')
  checks.checkDuration(options, 'openTimeout')
  checks.checkType(options, 'clientTracking', 'boolean')
  checks.checkFunction(options, 'handleProtocols')
  checks.checkFunction(options, 'verifyClient')
  checkServing(options)
  checks.checkSignal(options)
  if (options.id !== null) checks.checkText(options, 'id')
  if (options.path !== null) checks.checkText(options, 'path')

  const reconnect = reconnectPolicy(options.reconnect)
  const { url, tokens } = target
  const proxy = proxySpec(options.proxy, url)
  const spec = {
    address: url.href,
    id: options.id ?? url.searchParams.get('sb-hc-id') ?? randomUUID(),
    token: tokens.fixed,
    keyName: tokens.keyName,
    key: tokens.key,
    // Whole milliseconds: less than one must not become none.
    keepAliveInterval: Math.ceil(options.keepAliveInterval),
    openTimeout: options.openTimeout,
    acceptTimeout: options.acceptTimeout,
    maxConcurrentDials: options.maxConcurrentDials,
    maxPendingAccepts: options.maxPendingAccepts,
    reconnect: reconnect.spec,
    proxy,
    tls: tlsSpecWhere(options.tls, needsTls(url, proxy)),
    userAgent: USER_AGENT,
  }
  const serving = {
    responseTimeout: options.responseTimeout,
    responseFlushDelay: options.responseFlushDelay,
    maxRequests: options.maxRequests,
    setCookie: options.setCookie,
    stripPath: options.stripPath ? `/${target.path}` : '',
  }
  hideSecrets(options)
  return { ...target, options, reconnect, serving, spec }
}

/**
 * Checks the options of serving HTTP requests.
 *
 * @param {Object} options
 */
function checkServing(options) {
  checks.checkFunction(options, 'fetch')
  checks.checkDuration(options, 'responseTimeout', { zero: true })
  checks.checkDuration(options, 'responseFlushDelay', { zero: true })
  checks.checkType(options, 'stripPath', 'boolean')
  checks.checkCount(options, 'maxRequests')
  if (!COOKIES.has(options.setCookie)) {
    throw invalidOption('setCookie', "must be 'variants', 'array' or 'first'")
  }
}

/**
 * A connection string that is missing is mostly a variable of the environment that is not set.
 *
 * @param {Object} given What the user passed, without an address
 * @throws {TypeError}
 */
function checkAsked(given) {
  if (given && 'connectionString' in given) {
    const what = given.connectionString === null ? 'null' : 'undefined'
    throw invalidOption('connectionString', `is ${what}; is its variable of the environment set?`)
  }
}

/**
 * @param {Object} options With their defaults
 * @param {Object} given What the user passed
 * @return {*} `keepAliveInterval`, or what hyco-https calls it
 * @throws {TypeError} when both are there and differ
 */
function keepAliveInterval({ keepAliveInterval: interval, keepAliveTimeout: other }, given) {
  if (other === undefined) return interval
  checks.checkDuration({ keepAliveTimeout: other }, 'keepAliveTimeout', { zero: true })
  if (given.keepAliveInterval !== undefined && given.keepAliveInterval !== other) {
    throw invalidOption(
      'keepAliveTimeout',
      "is the same as 'keepAliveInterval', and differs from it",
    )
  }
  return other
}

/**
 * Checks the options that a socket takes as ws does.
 *
 * @param {Object} options
 */
function checkSocketOptions(options) {
  checks.checkType(options, 'allowSynchronousEvents', 'boolean')
  checks.checkType(options, 'autoPong', 'boolean')
  checks.checkType(options, 'skipUTF8Validation', 'boolean')
  checks.checkDuration(options, 'closeTimeout', { zero: true })
  checks.checkDuration(options, 'keepAliveInterval', { zero: true })
  checks.checkCount(options, 'maxFragments')
  checks.checkCount(options, 'maxPayload')
  checks.checkCount(options, 'maxPendingAutoPongs')
}

/**
 * The options of a socket, out of all others.
 *
 * @param {Object} options Complete options
 * @return {Object}
 */
function socketOptions(options) {
  // Spelt out: an object of a known shape takes less memory, and each socket has one.
  return {
    allowSynchronousEvents: options.allowSynchronousEvents,
    autoPong: options.autoPong,
    closeTimeout: options.closeTimeout,
    keepAliveInterval: options.keepAliveInterval,
    maxFragments: Math.min(options.maxFragments, MOST_FRAGMENTS),
    maxPayload: options.maxPayload,
    maxPendingAutoPongs: options.maxPendingAutoPongs,
    skipUTF8Validation: options.skipUTF8Validation,
  }
}

/**
 * Where to listen, from `server`, and with what, from `token` or `keyName` and `key`.
 *
 * @param {Object} options
 * @return {Object} `listenUri`, `path`, `url` and `tokens`
 */
function fromServer(options) {
  const { key, keyName, server, token, tokenScope } = options
  // The words of this message and the next are those of hyco-ws.
  if (server === null) throw invalidOption('server', 'must be provided')
  const url = optionUrl('server', server)
  checkAction(url, 'server', 'listen')
  const target = { listenUri: String(server), path: options.path ?? entityPath(url), url }
  if (token !== null) return { ...target, tokens: createTokenSource(token, tokenScope) }
  if (keyName !== null || key !== null) {
    return { ...target, tokens: createKeySource(url.href, keyName, key) }
  }
  throw createError(INVALID_OPTION, "A 'token' string or function must be provided", {
    Type: TypeError,
  })
}

/**
 * Where to listen and with what, from a connection string. A `token` beside it wins over its key.
 *
 * @param {Object} options
 * @return {Object} `listenUri`, `path`, `url` and `tokens`
 */
function fromString(options) {
  const connection = parseConnectionString(options.connectionString, options.path)
  checkListened(options.path, connection)
  if (options.openTimeout === undefined && (connection.operationTimeout ?? null) !== null) {
    options.openTimeout = connection.operationTimeout
  }
  const listenUri = `${connection.address}?sb-hc-action=listen`
  const url = optionUrl('connectionString', listenUri)
  const target = { listenUri, path: entityPath(url), url }
  if (options.token !== null) {
    return { ...target, tokens: createTokenSource(options.token, options.tokenScope) }
  }
  const { key, keyName, token } = connection
  if (token) return { ...target, tokens: createTokenSource(token) }
  if (keyName) return { ...target, tokens: createKeySource(listenUri, keyName, key) }
  throw invalidOption('connectionString', "holds no key; give a 'token' beside it")
}

/**
 * A listener hears the senders of a whole hybrid connection, whatever they add to its path.
 *
 * @param {(String|null)} path
 * @param {Object} connection
 * @throws {TypeError} when the path has what only senders add
 */
function checkListened(path, { entityPath: entity, query }) {
  const ALL = 'a server is reached by senders with any query and any path below'
  if (query !== '') throw invalidOption('path', `has a query; leave it out, since ${ALL}`)
  if (path !== null && entity !== undefined && path.replace(/^\/+|\/+$/g, '') !== entity) {
    const what = `is below '${entity}', the EntityPath of the connection string`
    throw invalidOption('path', `${what}; leave it out, since ${ALL}`)
  }
}

/**
 * @param {String} text
 * @param {(String|null)} path The hybrid connection, below which a sender may name a path and a query
 * @return {Object} `address`, without the query, `query` (`''`, or with its question mark), `entityPath`,
 *     and `keyName` and `key` or `token` where the string has them
 */
function parseConnectionString(text, path) {
  checks.checkText({ connectionString: text }, 'connectionString')
  if ((path ?? null) !== null) checks.checkText({ path }, 'path')
  const [, name, query] = /^([^?]*)(.*)$/s.exec(path ?? '')
  let connection
  try {
    connection = native.parseConnectionString(text, name === '' ? undefined : name)
  } catch (error) {
    throw invalidOption('connectionString', `cannot be used: ${error.message}`, error)
  }
  for (const key of connection.unknownKeys) {
    // A stray semicolon makes a key of what may be a part of a secret.
    const name = /^[A-Za-z0-9]+$/.test(key) ? `the key "${key.slice(0, 20)}"` : 'a key'
    process.emitWarning(`${name} of the connection string means nothing`)
  }
  // A fragment would swallow what follows.
  return { ...connection, query: query === '?' ? '' : query.replaceAll('#', '%23') }
}

/**
 * @param {String} name The option
 * @param {(String|URL)} value Its address
 * @return {URL}
 */
function optionUrl(name, value) {
  const refused = (why) =>
    createError(INVALID_ADDRESS, `'${name}' is no relay address: ${why}`, { Type: TypeError })
  let url
  try {
    url = parseAddress(value)
  } catch (error) {
    throw refused(error.message)
  }
  // A server would try it for ever. A socket fails by itself, as one of ws does.
  if (url.port === '0') throw refused('nothing can be reached at the port 0')
  return url
}

/**
 * Keeps secrets out of what `console.log` and `JSON.stringify` show.
 *
 * @param {Object} options
 */
function hideSecrets(options) {
  for (const name of SECRETS) {
    if (name in options) Object.defineProperty(options, name, { enumerable: false })
  }
  for (const name of ['server', 'proxy']) {
    const text = String(options[name])
    if (native.redact(text) !== text) Object.defineProperty(options, name, { enumerable: false })
  }
}

module.exports = {
  SOCKET_DEFAULTS,
  checkSocketOptions,
  parseConnectionString,
  serverOptions,
  socketOptions,
}
