'use strict'

const { Buffer } = require('node:buffer')
const http = require('node:http')

const { invalidOption } = require('../errors')

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
 * @param {(String|String[]|undefined|null)} protocols
 * @return {String[]} The subprotocols to offer
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
  if ((headers ?? null) !== null && (typeof headers !== 'object' || Array.isArray(headers))) {
    throw invalidOption('headers', 'must be an object of names and values')
  }
  const list = []
  for (const name in headers) {
    if (!Object.hasOwn(headers, name)) continue
    const value = headers[name]
    http.validateHeaderName(name)
    if (HANDSHAKE_HEADERS.has(name.toLowerCase())) continue
    for (const item of Array.isArray(value) ? value : [value]) {
      http.validateHeaderValue(name, item)
      list.push([name, String(item)])
    }
  }
  if ((origin ?? null) !== null && typeof origin !== 'string' && !(origin instanceof URL)) {
    throw invalidOption('origin', 'must be a string')
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

module.exports = { headerList, protocolList }
