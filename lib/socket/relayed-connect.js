'use strict'

const { onAbort } = require('../aborts')
const { invalidArgument, invalidOption } = require('../errors')
const { clearTimeout, nextTick, now, setTimeout } = require('../globals')
const hub = require('../hub/hub')
const { SOCKET_DEFAULTS, checkSocketOptions, socketOptions } = require('../options/options')
const checks = require('../options/checks')
const { needsTls, proxySpec } = require('../options/proxy')
const { listenerHeaders, senderTarget } = require('../options/sender')
const { flatTlsOptions, tlsSpecWhere } = require('../options/tls')
const { warnOfUnknown } = require('../options/unknown')
const { abortError, callSite, connectError, tokenTimeout } = require('./connect-errors')
const { headerList, protocolList } = require('./handshake-options')
const { abandon, fail } = require('./opening')
const { createSocket } = require('./relayed-socket')
const { CONNECTING } = require('ws')

/**
 * Milliseconds until a connect is given up: more than the relay itself waits for a listener, so that
 * its answer is seen first (docs/protocol.md, 7.1).
 */
const HANDSHAKE_TIMEOUT = 70_000

/** The parameter of an address that holds a token. */
const TOKEN_PARAMETER = 'sb-hc-token'

/** Options of ws that a relay gives nothing to do (docs/differences-from-ws.md). */
const WITHOUT_EFFECT = [
  'followRedirects',
  'maxBufferedChunks',
  'maxRedirects',
  'perMessageDeflate',
  'protocolVersion',
]

/**
 * Connects to a listener through the relay.
 *
 * @param {(String|URL|null)} address The send URI, as `createRelaySendUri` makes it; `null` where the
 *     option `connectionString` names it
 * @param {(String|Function|Object|Promise|null)} [token] A token; a function that returns one or a
 *     promise of one; a credential with `getToken(scope)`; a promise; `null` where senders need none.
 *     The options may stand here, if they say what proves the right
 * @param {Object} [options]
 * @param {(String|String[])} [options.allowedListeners] Tracking ids of the listeners to choose from
 * @param {String} [options.connectionString] Names the relay and the key, with `path` if it has none
 * @param {Object} [options.credential] With `getToken(scope)`
 * @param {(String|String[])} [options.disallowedListeners] Tracking ids of listeners not to choose
 * @param {String} [options.keyName] A rule, with its `key`
 * @param {Boolean} [options.allowSynchronousEvents=true] Whether several `'message'`, `'ping'` and
 *     `'pong'` events may be emitted in the same tick
 * @param {Boolean} [options.autoPong=true] Whether pings are answered
 * @param {Number} [options.closeTimeout=30000] Milliseconds to wait for the closing handshake
 * @param {Number} [options.handshakeTimeout=70000] Milliseconds until the socket must be open
 * @param {Object} [options.headers] More headers, seen by the listener
 * @param {String} [options.id] Tracking id, sent as `sb-hc-id`
 * @param {Number} [options.maxPayload=104857600] Largest message in bytes, 0 for any
 * @param {String} [options.origin] Value of the header `Origin`
 * @param {(String|String[])} [options.protocols] Subprotocols to offer
 * @param {AbortSignal} [options.signal] Terminates the socket, whatever its state
 * @param {Boolean} [options.skipUTF8Validation=false] Whether text is taken as it comes
 * @param {Object} [options.tls] As `tls.connect` takes them; `ca`, `cert`, `key`, `passphrase`,
 *     `rejectUnauthorized` and `servername` may also stand beside it, as in ws
 * @param {(String|Function|Object|Promise)} [options.token] The token, where none stands before the options
 * @param {String} [options.tokenScope] What a credential is asked for
 * @param {Function} [fn] Called with the socket when it is open
 * @return {RelayedSocket} The socket, still connecting
 * @throws {SyntaxError} for an address or subprotocol that cannot be used
 * @throws {TypeError} for an option that cannot be used
 */
function relayedConnect(address, token, options, fn) {
  try {
    return connect(address, ...sortArguments(address, token, options, fn))
  } catch (error) {
    // It is the caller who is to look at the arguments.
    if (error instanceof Error) Error.captureStackTrace(error, relayedConnect)
    throw error
  }
}

/**
 * Finds out which argument is which: options and token may be left out before `fn`.
 *
 * @return {Array} `token`, `options`, `fn`
 * @throws {TypeError}
 */
function sortArguments(address, token, options, fn) {
  if (typeof options === 'function' && fn === undefined) {
    fn = options
    options = undefined
  }
  if (options !== undefined && options !== null && typeof options !== 'object') {
    throw invalidArgument('options', 'must be an object')
  }
  if (fn !== undefined && fn !== null && typeof fn !== 'function') {
    throw invalidArgument('fn', 'must be a function')
  }
  if (isOptions(token)) {
    options = { ...token, ...options }
    token = undefined
  }
  // A function alone is asked for a token, unless it takes the socket or a token is there already.
  const alone = typeof token === 'function' && (fn ?? null) === null && (options ?? null) === null
  if (alone && (token.length > 0 || String(address).includes(`${TOKEN_PARAMETER}=`))) {
    fn = token
    token = undefined
  }
  if ((options?.token ?? null) !== null) {
    if ((token ?? null) !== null) throw invalidOption('token', 'is given twice')
    token = options.token
  }
  return [token ?? null, options ?? {}, fn ?? null]
}

/**
 * @param {*} token
 * @return {Boolean} Whether it stands where a token may stand, and is an object of options
 */
function isOptions(token) {
  if (typeof token !== 'object' || token === null) return false
  return typeof token.getToken !== 'function' && typeof token.then !== 'function'
}

function connect(address, token, options, fn) {
  const given = complete(options)
  const { url, tokens } = senderTarget(address, token, given)
  warnOfUnknown('relayedConnect', options, KNOWN)
  checkSocketOptions(given)
  checks.checkDuration(given, 'handshakeTimeout', { zero: true })
  checks.checkSignal(given)
  if (given.id !== undefined) checks.checkText(given, 'id')

  const headers = [...headerList(given, url), ...listenerHeaders(given)]
  const proxy = proxySpec(given.proxy, url)
  const tls = tlsOptions(given)
  const isSecure = needsTls(url, proxy)
  const spec = {
    address: url.href,
    token: tokens?.fixed,
    id: given.id,
    headers,
    protocols: protocolList(given.protocols),
    timeout: given.handshakeTimeout || checks.MAX_DELAY,
    proxy,
    // As with ws, options that stand flat mean nothing to a plain connection.
    tls: tlsSpecWhere(isSecure || (given.tls ?? null) !== null ? tls : undefined, isSecure),
    trust: 0,
  }

  const blame = callSite(relayedConnect)
  const core = createSocket(url.href, socketOptions(given), {
    describe: (failure) => blame(connectError(failure)),
  })
  const socket = core.face
  if (fn !== null) socket.once('open', () => fn(socket))
  const { signal } = given
  if (signal?.aborted) {
    abandon(core, blame(abortError(signal.reason)))
    return socket
  }
  if (signal) endWith(core, signal)
  if (tokens === null || tokens.fixed !== undefined) hub.current().connect(core, spec)
  else connectWithToken(core, spec, tokens, blame)
  return socket
}

/**
 * @param {Object} options
 * @return {(Object|undefined)} Those of TLS, which stand together in `tls`, or flat as in ws
 * @throws {TypeError} when they stand in both places
 */
function tlsOptions(options) {
  const { keyName, tls } = options
  // Beside the name of a rule, 'key' is that rule's.
  const flat = flatTlsOptions(keyName === undefined ? options : { ...options, key: undefined })
  if (tls === undefined || tls === null) return flat
  if (flat !== undefined) {
    throw invalidOption(
      Object.keys(flat)[0],
      "cannot be given together with 'tls'; put it in there",
    )
  }
  return tls
}

/**
 * The options with their defaults. Spelt out, since an object of a known shape takes a third of the
 * memory of one that is put together, and thousands of sockets may be opened at once.
 *
 * @param {Object} options What the user gave
 * @return {Object}
 */
function complete(options) {
  const { ca, cert, key, passphrase, rejectUnauthorized, servername, tls } = options
  const { headers, id, origin, protocols, proxy, signal } = options
  const { connectionString, credential, keyName, path, tokenScope } = options
  const { allowedListeners, disallowedListeners } = options
  const {
    allowSynchronousEvents = SOCKET_DEFAULTS.allowSynchronousEvents,
    autoPong = SOCKET_DEFAULTS.autoPong,
    closeTimeout = SOCKET_DEFAULTS.closeTimeout,
    handshakeTimeout = HANDSHAKE_TIMEOUT,
    keepAliveInterval = SOCKET_DEFAULTS.keepAliveInterval,
    maxFragments = SOCKET_DEFAULTS.maxFragments,
    maxPayload = SOCKET_DEFAULTS.maxPayload,
    maxPendingAutoPongs = SOCKET_DEFAULTS.maxPendingAutoPongs,
    skipUTF8Validation = SOCKET_DEFAULTS.skipUTF8Validation,
  } = options
  return {
    allowSynchronousEvents,
    allowedListeners,
    autoPong,
    ca,
    cert,
    closeTimeout,
    connectionString,
    credential,
    disallowedListeners,
    handshakeTimeout,
    headers,
    id,
    keepAliveInterval,
    key,
    keyName,
    maxFragments,
    maxPayload,
    maxPendingAutoPongs,
    origin,
    passphrase,
    path,
    protocols,
    proxy,
    rejectUnauthorized,
    servername,
    signal,
    skipUTF8Validation,
    tls,
    tokenScope,
  }
}

/** What `complete` reads, what `sortArguments` does, and what is documented to have no effect. */
const KNOWN = new Set([...Object.keys(complete({})), 'token', ...WITHOUT_EFFECT])

/**
 * Connects as soon as the token is there. The deadline counts from now.
 *
 * @param {SocketCore} core
 * @param {Object} spec What the hub is to do
 * @param {TokenSource} tokens
 * @param {Function} blame Lets an error point at the caller
 */
function connectWithToken(core, spec, tokens, blame) {
  const started = now()
  const { timeout } = spec
  const timer = setTimeout(() => fail(core, blame(tokenTimeout(timeout))), timeout)
  core.onEnd(() => clearTimeout(timer))
  tokens.get().then(
    (token) => {
      clearTimeout(timer)
      spec.token = token
      spec.timeout = Math.max(1, timeout - (now() - started))
      nextTick(connectNow, core, spec)
    },
    // Events are emitted from a tick of their own: what a listener throws is no rejection.
    (error) => nextTick(() => fail(core, blame(error))),
  )
}

/**
 * Connects, unless the socket was closed meanwhile.
 *
 * @param {SocketCore} core
 * @param {Object} spec
 */
function connectNow(core, spec) {
  if (core.state !== CONNECTING) return
  try {
    hub.current().connect(core, spec)
  } catch (error) {
    fail(core, error)
  }
}

/**
 * Ends a socket with a signal: gives it up while it connects, terminates it later.
 *
 * @param {SocketCore} core
 * @param {AbortSignal} signal
 */
function endWith(core, signal) {
  const end = () => {
    if (core.state === CONNECTING) abandon(core, abortError(signal.reason))
    else core.terminate()
  }
  core.onEnd(onAbort(signal, end))
}

module.exports = relayedConnect
