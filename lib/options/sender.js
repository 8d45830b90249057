'use strict'

const { invalidArgument, invalidOption } = require('../errors')
const { checkAction, parseAddress } = require('./address')
const { checkText } = require('./checks')
const { parseConnectionString } = require('./options')
const { createKeySource, createTokenSource } = require('./token')

/** What a tracking id of a listener is made of; anything else cannot be in the list of a header. */
const LISTENER_ID = /^[\w-]+$/

/**
 * Where a sender connects to, and what proves its right to.
 *
 * @param {(String|URL|null)} address `null` where the connection string names it
 * @param {*} token As `relayedConnect` takes it
 * @param {Object} options `connectionString` and `path`, `keyName` and `key`, `credential`, `tokenScope`
 * @return {Object} `url`, and `tokens`, a token source or `null`
 * @throws {TypeError} naming the option that cannot be used
 */
function senderTarget(address, token, options) {
  const { connectionString, credential, keyName, path, tokenScope } = options
  // One of these proves the right; a connection string may also only name the address.
  const given = { token, credential, keyName }
  const [first, second] = Object.keys(given).filter((name) => (given[name] ?? null) !== null)
  if (second) throw invalidOption(second, `cannot be given together with '${first}'`)

  // With a connection string, the options are easily given in place of the address.
  if (address?.constructor === Object) {
    throw invalidArgument(
      'address',
      'must be a string or a URL; options come second, and a connection string among them lets it be null',
    )
  }
  if ((path ?? null) !== null) checkText(options, 'path')
  const connection =
    (connectionString ?? null) === null ? null : parseConnectionString(connectionString, path)
  const url = parseAddress(
    connection !== null && (address ?? null) === null
      ? `${connection.address}${connection.query || '?'}${connection.query && '&'}sb-hc-action=connect`
      : address,
  )
  checkAction(url, 'address', 'connect')
  if (token !== null) return { url, tokens: createTokenSource(token, tokenScope) }
  if ((credential ?? null) !== null) {
    if (typeof credential.getToken !== 'function') {
      throw invalidOption('credential', "must have a method 'getToken'")
    }
    return { url, tokens: createTokenSource(credential, tokenScope) }
  }
  if ((keyName ?? null) !== null) {
    return { url, tokens: createKeySource(url.href, keyName, options.key) }
  }
  if (connection?.token) return { url, tokens: createTokenSource(connection.token) }
  if (connection?.keyName) {
    return { url, tokens: createKeySource(url.href, connection.keyName, connection.key) }
  }
  return { url, tokens: null }
}

/**
 * The headers that say which of the listeners may be chosen.
 *
 * @param {Object} options
 * @param {(String|String[])} [options.allowedListeners] Their tracking ids
 * @param {(String|String[])} [options.disallowedListeners]
 * @return {String[][]} Names and values
 * @throws {TypeError}
 */
function listenerHeaders(options) {
  return [
    ['allowedListeners', 'Microsoft-Relay-AllowedListeners'],
    ['disallowedListeners', 'Microsoft-Relay-DisallowedListeners'],
  ].flatMap(([name, header]) => {
    const value = options[name]
    if ((value ?? null) === null) return []
    const list = Array.isArray(value) ? value : [value]
    if (!list.every((id) => typeof id === 'string' && LISTENER_ID.test(id))) {
      throw invalidOption(name, 'must be the tracking id of a listener, or an array of such ids')
    }
    return list.length === 0 ? [] : [[header, list.join(',')]]
  })
}

module.exports = { listenerHeaders, senderTarget }
