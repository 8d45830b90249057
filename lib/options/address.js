'use strict'

const { INVALID_ADDRESS, createError, textOf } = require('../errors')
const { redact } = require('../native')

/** Schemes that name the same two ways: encrypted, or not. */
const SCHEMES = new Map([
  ['http:', 'ws:'],
  ['https:', 'wss:'],
  ['sb:', 'wss:'],
  ['ws:', 'ws:'],
  ['wss:', 'wss:'],
])

/** The path under which WebSockets of a hybrid connection are. */
const HYBRID_CONNECTION = /^\/\$hc\//i

/**
 * Reads a WebSocket address as ws does, and in the schemes a relay is named by.
 *
 * @param {(String|URL)} address
 * @return {URL} With the scheme `ws:` or `wss:`
 * @throws {SyntaxError}
 */
function parseAddress(address) {
  let url
  try {
    url = new URL(address)
  } catch {
    throw invalidAddress(`Invalid URL: ${redact(textOf(address))}`)
  }
  const scheme = SCHEMES.get(url.protocol)
  if (scheme === undefined) {
    throw invalidAddress(
      'The URL\'s protocol must be one of "ws:", "wss:", "http:", "https:", or "sb:"',
    )
  }
  if (url.protocol !== scheme) {
    // Only this way: the setter of `protocol` refuses to leave `sb:`.
    url = new URL(scheme + url.href.slice(url.protocol.length))
  }
  if (url.host === '') throw invalidAddress('The URL has no host')
  if (url.hash) throw invalidAddress('The URL contains a fragment identifier')
  return url
}

/** The other action of an address, and the function that makes the right one. */
const ACTIONS = {
  connect: ['listen', 'a listen URI; createRelaySendUri makes the one to connect to'],
  listen: ['connect', 'a send URI; createRelayListenUri makes the one to listen at'],
}

/**
 * Refuses an address that was made for the other side.
 *
 * @param {URL} url
 * @param {String} name The argument or option
 * @param {String} action `'listen'` or `'connect'`
 * @throws {TypeError}
 */
function checkAction(url, name, action) {
  const [other, hint] = ACTIONS[action]
  for (const [key, value] of url.searchParams) {
    if (key.toLowerCase() === 'sb-hc-action' && value.toLowerCase() === other) {
      throw createError(INVALID_ADDRESS, `'${name}' is ${hint}`, { Type: TypeError })
    }
  }
}

/**
 * The path of a hybrid connection, out of its address.
 *
 * @param {URL} url
 * @return {String}
 */
function entityPath(url) {
  const path = url.pathname.replace(HYBRID_CONNECTION, '').replace(/^\//, '')
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

/**
 * @param {String} message
 * @return {SyntaxError}
 */
function invalidAddress(message) {
  return createError(INVALID_ADDRESS, message, { Type: SyntaxError })
}

module.exports = { checkAction, entityPath, parseAddress }
