'use strict'

const { validateHeaderName, validateHeaderValue } = require('node:http')

const { INVALID_HEADER, createError } = require('../errors')

/** The lines that every answer begins with. They are shown, and go to nobody. */
const FIRST_LINES = [
  'HTTP/1.1 101 Switching Protocols',
  'Upgrade: websocket',
  'Connection: Upgrade',
]

const PROTOCOL = 'sec-websocket-protocol'

/** What the handshake with the relay or the relay itself decides. */
const RESERVED =
  /^(connection|content-length|host|keep-alive|proxy-.*|sb-hc-.*|sec-websocket-.*|te|trailer|transfer-encoding|upgrade)$/

/**
 * The lines of the answer to a sender, as `'headers'` listeners see and change them.
 *
 * @param {(String|undefined)} protocol The subprotocol that is to be answered
 * @return {String[]}
 */
function answerLines(protocol) {
  const lines = [...FIRST_LINES]
  if (protocol !== undefined) lines.push(`Sec-WebSocket-Protocol: ${protocol}`)
  return lines
}

/**
 * Reads the lines after the listeners have seen them.
 *
 * @param {Array} lines
 * @return {Object} `protocol`, which the last such line names, or `undefined`; and `headers`, the names
 *     and values of what was added
 * @throws {Error} HYCO_ERR_INVALID_HEADER, for a line that cannot be sent
 */
function readAnswer(lines) {
  let protocol
  const headers = []
  for (const line of lines) {
    if (FIRST_LINES.includes(line)) continue
    const [name, value] = readLine(line)
    if (name.toLowerCase() === PROTOCOL) protocol = value === '' ? undefined : value
    else headers.push([name, value])
  }
  return { protocol, headers }
}

/**
 * @param {*} line
 * @return {String[]} Name and value
 * @throws {Error} HYCO_ERR_INVALID_HEADER
 */
function readLine(line) {
  const colon = typeof line === 'string' ? line.indexOf(':') : -1
  if (colon < 1) throw invalid("a 'headers' listener left something that is no 'Name: value' line")
  const name = line.slice(0, colon)
  const value = line.slice(colon + 1).trim()
  try {
    validateHeaderName(name)
    validateHeaderValue(name, value)
  } catch (cause) {
    throw invalid(`a 'headers' listener left a line that cannot be sent: ${cause.message}`, cause)
  }
  const lower = name.toLowerCase()
  if (lower !== PROTOCOL && RESERVED.test(lower)) {
    throw invalid(`a 'headers' listener left the header '${name}', which belongs to the relay`)
  }
  return [name, value]
}

/**
 * @param {String} message
 * @param {Error} [cause]
 * @return {Error}
 */
function invalid(message, cause) {
  return createError(INVALID_HEADER, message, { cause })
}

module.exports = { answerLines, readAnswer }
