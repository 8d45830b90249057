'use strict'

const http = require('node:http')

const { TIMEOUT, createError, invalidArgument } = require('../errors')
const hub = require('../hub/hub')
const { SOCKET_DEFAULTS, checkSocketOptions, socketOptions } = require('../options/options')
const { parseAddress } = require('../options/address')
const checks = require('../options/checks')
const { flatTlsOptions, tlsSpec } = require('../options/tls')
const { createTokenSource } = require('../options/token')
const RelayedSocket = require('./relayed-socket')

/**
 * Milliseconds until a connect is given up: more than the relay itself waits for a listener, so that
 * its answer is seen first (docs/protocol.md, 7.1).
 */
const HANDSHAKE_TIMEOUT = 70_000

const SUBPROTOCOL = /^[!#$%&'*+\-.0-9A-Z^_`|a-z~]+$/

/** Headers that belong to the handshake itself. */
const HANDSHAKE_HEADERS = new Set([
  'connection',
  'sec-websocket-extensions',
  'sec-websocket-key',
  'sec-websocket-version',
  'upgrade',
])

/**
 * Connects to a listener through the relay.
 *
 * @param {(String|URL)} address The send URI, as `createRelaySendUri` makes it
 * @param {(String|Function|Object|Promise|null)} [token] A token; a function that returns one or a
 *     promise of one; a credential with `getToken(scope)`; a promise; `null` where senders need none
 * @param {Object} [options]
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
 * @param {String} [options.tokenScope] What a credential is asked for
 * @param {Function} [fn] Called with the socket when it is open
 * @return {RelayedSocket} The socket, still connecting
 * @throws {SyntaxError} for an address or subprotocol that cannot be used
 * @throws {TypeError} for an option that cannot be used
 */
function relayedConnect(address, token, options, fn) {
  if (typeof options === 'function') {
    fn = options
    options = undefined
  }
  if (options !== undefined && options !== null && typeof options !== 'object') {
    throw invalidArgument('options', 'must be an object')
  }
  const url = parseAddress(address)
  const given = complete(options ?? {})
  checkSocketOptions(given)
  checks.checkDuration(given, 'handshakeTimeout', { zero: true })
  checks.checkSignal(given)
  checks.checkProxy(given)
  if (given.id !== undefined) checks.checkText(given, 'id')

  const tokens =
    token === undefined || token === null ? null : createTokenSource(token, given.tokenScope)
  const headers = headerList(given, url)
  const spec = {
    address: url.href,
    token: tokens?.fixed,
    id: given.id,
    headers,
    protocols: protocolList(given.protocols),
    timeout: given.handshakeTimeout || checks.MAX_DELAY,
    tls: url.protocol === 'wss:' ? tlsSpec(given.tls ?? flatTlsOptions(given)) : undefined,
    trust: 0,
  }

  const socket = new RelayedSocket(url.href, socketOptions(given))
  if (typeof fn === 'function') socket.once('open', () => fn(socket))
  if (given.signal) endWith(socket, given.signal)
  if (given.signal?.aborted) return socket
  if (tokens === null || tokens.fixed !== undefined) hub.current().connect(socket, spec)
  else connectWithToken(socket, spec, tokens)
  return socket
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
  const { headers, id, origin, protocols, proxy, signal, tokenScope } = options
  const {
    allowSynchronousEvents = SOCKET_DEFAULTS.allowSynchronousEvents,
    autoPong = SOCKET_DEFAULTS.autoPong,
    closeTimeout = SOCKET_DEFAULTS.closeTimeout,
    handshakeTimeout = HANDSHAKE_TIMEOUT,
    maxFragments = SOCKET_DEFAULTS.maxFragments,
    maxPayload = SOCKET_DEFAULTS.maxPayload,
    maxPendingAutoPongs = SOCKET_DEFAULTS.maxPendingAutoPongs,
    skipUTF8Validation = SOCKET_DEFAULTS.skipUTF8Validation,
  } = options
  return {
    allowSynchronousEvents,
    autoPong,
    ca,
    cert,
    closeTimeout,
    handshakeTimeout,
    headers,
    id,
    key,
    maxFragments,
    maxPayload,
    maxPendingAutoPongs,
    origin,
    passphrase,
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

/**
 * Connects as soon as the token is there. The deadline counts from now.
 *
 * @param {RelayedSocket} socket
 * @param {Object} spec What the hub is to do
 * @param {TokenSource} tokens
 */
function connectWithToken(socket, spec, tokens) {
  const started = Date.now()
  const timer = setTimeout(() => {
    socket.fail(createError(TIMEOUT, `waiting for a token has timed out after ${spec.timeout} ms`))
  }, spec.timeout)
  socket.once('close', () => clearTimeout(timer))
  tokens.get().then(
    (token) => {
      clearTimeout(timer)
      spec.token = token
      spec.timeout = Math.max(1, spec.timeout - (Date.now() - started))
      process.nextTick(connectNow, socket, spec)
    },
    // Events are emitted from a tick of their own: what a listener throws is no rejection.
    (error) => process.nextTick(() => socket.fail(error)),
  )
}

/**
 * Connects, unless the socket was closed meanwhile.
 *
 * @param {RelayedSocket} socket
 * @param {Object} spec
 */
function connectNow(socket, spec) {
  if (socket.readyState !== RelayedSocket.CONNECTING) return
  try {
    hub.current().connect(socket, spec)
  } catch (error) {
    socket.fail(error)
  }
}

/**
 * Ends a socket with a signal, as if `terminate()` were called.
 *
 * @param {RelayedSocket} socket
 * @param {AbortSignal} signal
 */
function endWith(socket, signal) {
  const end = () => socket.terminate()
  if (signal.aborted) {
    end()
    return
  }
  signal.addEventListener('abort', end, { once: true })
  socket.once('close', () => signal.removeEventListener('abort', end))
}

/**
 * @param {(String|String[]|undefined|null)} protocols
 * @return {String[]}
 * @throws {SyntaxError} as ws does
 */
function protocolList(protocols) {
  if (protocols === undefined || protocols === null) return []
  const list = Array.isArray(protocols) ? [...protocols] : [protocols]
  const valid = list.every((name) => typeof name === 'string' && SUBPROTOCOL.test(name))
  if (!valid || new Set(list).size !== list.length) {
    throw new SyntaxError('An invalid or duplicated subprotocol was specified')
  }
  return list
}

/**
 * The headers to send, and a user and password taken out of the address, as ws does.
 *
 * @param {Object} options
 * @param {URL} url
 * @return {String[][]} Names and values
 * @throws {TypeError} for a header that cannot be sent, as `http.request` does
 */
function headerList({ headers, origin }, url) {
  const list = []
  for (const name in headers) {
    if (!Object.hasOwn(headers, name)) continue
    const value = headers[name]
    if (value === undefined || value === null) continue
    http.validateHeaderName(name)
    if (HANDSHAKE_HEADERS.has(name.toLowerCase())) continue
    for (const item of Array.isArray(value) ? value : [value]) {
      http.validateHeaderValue(name, item)
      list.push([name, String(item)])
    }
  }
  if (origin) {
    http.validateHeaderValue('Origin', origin)
    list.push(['Origin', String(origin)])
  }
  if (url.username || url.password) {
    const user = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
    if (!list.some(([name]) => name.toLowerCase() === 'authorization')) {
      list.push(['Authorization', `Basic ${Buffer.from(user).toString('base64')}`])
    }
    url.username = ''
    url.password = ''
  }
  return list
}

module.exports = relayedConnect
