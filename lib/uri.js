'use strict'

const { invalidArgument } = require('./errors')
const native = require('./native')
const { parseUrl } = require('./parse-url')

/** How long a token lives unless told otherwise, in seconds. */
const DEFAULT_EXPIRATION = 3600

/**
 * Creates a token: a shared access signature for an address.
 *
 * @param {(String|URL)} uri What the token is for: the address of a namespace or hybrid connection
 * @param {String} ruleName The name of the authorization rule
 * @param {(String|Uint8Array)} key The rule's key, as text or as its bytes
 * @param {Number} [expirationSeconds=3600] Seconds until the token ends
 * @return {String}
 * @throws {TypeError} for an argument of the wrong kind
 */
function createRelayToken(uri, ruleName, key, expirationSeconds) {
  const text = checkUri(uri)
  checkString('ruleName', ruleName)
  if (!(key instanceof Uint8Array) || key.length === 0) checkString('key', key)
  // Programs write 'http://' + namespace, and a namespace may carry a scheme of its own.
  const resource = text.replace(/^https?:\/\/(?=[a-z]+:\/\/)/i, '')
  return native.createRelayToken(resource, ruleName, Buffer.from(key), expiry(expirationSeconds))
}

/**
 * Creates a token for an address and appends it to it, as the parameter `sb-hc-token`.
 *
 * @param {(String|URL)} uri The address
 * @param {String} ruleName The name of the authorization rule
 * @param {(String|Uint8Array)} key The rule's key, as text or as its bytes
 * @param {Number} [expirationSeconds=3600] Seconds until the token ends
 * @return {String}
 * @throws {TypeError} for an argument of the wrong kind
 */
function appendRelayToken(uri, ruleName, key, expirationSeconds) {
  const token = createRelayToken(uri, ruleName, key, expirationSeconds)
  return native.appendRelayToken(checkUri(uri), token)
}

/**
 * Creates the address of a hybrid connection.
 *
 * @param {String} namespaceName Host of the namespace, such as `contoso.servicebus.windows.net`; may
 *     carry a scheme and a port, as in `ws://localhost:9400`
 * @param {String} path The hybrid connection; may carry a sub-path and a query
 * @return {String}
 * @throws {TypeError} for an argument of the wrong kind
 */
function createRelayBaseUri(namespaceName, path) {
  checkHybridConnection(namespaceName, path)
  return native.createRelayBaseUri(namespaceName, path)
}

/**
 * Creates the address at which to listen.
 *
 * @param {String} namespaceName As for `createRelayBaseUri`
 * @param {String} path As for `createRelayBaseUri`
 * @param {(String|null)} [token] Goes into the address; better given as an option of the server
 * @param {(String|null)} [id] Tracking id
 * @return {String}
 * @throws {TypeError} for an argument of the wrong kind
 */
function createRelayListenUri(namespaceName, path, token, id) {
  checkHybridConnection(namespaceName, path)
  return native.createRelayListenUri(
    namespaceName,
    path,
    optionalText('token', token),
    optionalText('id', id),
  )
}

/**
 * Creates the address to which HTTP requests are sent.
 *
 * @param {String} namespaceName As for `createRelayBaseUri`
 * @param {String} path The hybrid connection; may carry a sub-path and a query
 * @param {(String|null)} [token] Goes into the address; better sent as `ServiceBusAuthorization`
 * @param {(String|null)} [id] Tracking id, which the relay does not use
 * @return {String}
 * @throws {TypeError} for an argument of the wrong kind
 */
function createRelayHttpsUri(namespaceName, path, token, id) {
  checkHybridConnection(namespaceName, path)
  const [, host] = NAMESPACE.exec(namespaceName.trim())
  const scheme = /^\s*(?:ws|http):/i.test(namespaceName) ? 'http' : 'https'
  // What is illegal in a URI is percent-encoded there, in the same way for all addresses.
  const base = native.createRelayBaseUri('ns', path)
  let uri = `${scheme}://${host}/${base.slice(base.indexOf('/$hc/') + '/$hc/'.length)}`
  const given = { 'sb-hc-token': optionalText('token', token), 'sb-hc-id': optionalText('id', id) }
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue
    uri += `${uri.includes('?') ? '&' : '?'}${name}=${encodeURIComponent(value)}`
  }
  return uri
}

/**
 * Creates the address to connect to.
 *
 * @param {String} namespaceName As for `createRelayBaseUri`
 * @param {String} path As for `createRelayBaseUri`
 * @param {(String|null)} [token] Goes into the address; better given to `relayedConnect`
 * @param {(String|null)} [id] Tracking id
 * @return {String}
 * @throws {TypeError} for an argument of the wrong kind
 */
function createRelaySendUri(namespaceName, path, token, id) {
  checkHybridConnection(namespaceName, path)
  return native.createRelaySendUri(
    namespaceName,
    path,
    optionalText('token', token),
    optionalText('id', id),
  )
}

/**
 * The Unix time at which a token is to end. Whatever is falsy or no number means the default, as it
 * does in hyco-ws.
 *
 * @param {*} seconds
 * @return {Number}
 * @throws {TypeError}
 */
function expiry(seconds) {
  const given = Number(seconds) || DEFAULT_EXPIRATION
  if (!Number.isFinite(given)) throw invalidArgument('expirationSeconds', 'must be a finite number')
  return Math.floor((Date.now() + given * 1000) / 1000)
}

/**
 * @param {*} uri
 * @return {String}
 * @throws {TypeError}
 */
function checkUri(uri) {
  if (uri instanceof URL) return uri.href
  checkString('uri', uri)
  return uri
}

/**
 * @param {*} namespaceName
 * @param {*} path
 * @throws {TypeError}
 */
function checkHybridConnection(namespaceName, path) {
  checkString('namespaceName', namespaceName)
  if (!isNamespace(namespaceName.trim())) {
    throw invalidArgument(
      'namespaceName',
      "must be the host of a namespace, such as 'contoso.servicebus.windows.net', at most with a scheme and a port",
    )
  }
  if (typeof path !== 'string') throw invalidArgument('path', 'must be a string')
}

/** A namespace: the scheme that it may have, and its host with a port. */
const NAMESPACE = /^(?:(?:wss?|https?|sb):\/\/)?([^\s/?#@\\]+)\/?$/i

/**
 * @param {String} text
 * @return {Boolean} Whether an address can be made of it
 */
function isNamespace(text) {
  const host = NAMESPACE.exec(text)?.[1]
  const url = host === undefined ? null : parseUrl(`https://${host}`)
  // No address can have port 0: it asks for any when a server opens one.
  return url !== null && url.port !== '0'
}

/**
 * @param {String} name The argument
 * @param {*} value
 * @throws {TypeError}
 */
function checkString(name, value) {
  if (typeof value !== 'string' || value === '') {
    throw invalidArgument(name, 'must be a non-empty string')
  }
}

/**
 * @param {String} name The argument
 * @param {*} value
 * @return {(String|undefined)}
 * @throws {TypeError}
 */
function optionalText(name, value) {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string' && typeof value !== 'number') {
    throw invalidArgument(name, 'must be a string')
  }
  return String(value)
}

module.exports = {
  appendRelayToken,
  createRelayBaseUri,
  createRelayHttpsUri,
  createRelayListenUri,
  createRelaySendUri,
  createRelayToken,
}
