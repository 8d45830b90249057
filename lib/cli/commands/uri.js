'use strict'

const { usageError } = require('../failure')
const { findTarget } = require('../target')

/**
 * Prints the address of a hybrid connection.
 *
 * @param {Object} values
 * @param {String[]} positionals
 * @param {Terminal} terminal
 * @return {Number} The exit code
 */
function uri(values, [kind], terminal) {
  const target = findTarget(values, { right: values.withToken })
  if (kind === 'listen' && target.suffix !== '') {
    throw usageError('A listener has no --suffix: it accepts senders with any.')
  }
  const address = {
    base: () => target.baseUri,
    connect: () => target.sendUri,
    http: () => target.httpUri,
    listen: () => target.listenUri,
  }[kind]()
  const life = (values.expiresIn ?? 3_600_000) / 1000
  const text = values.withToken ? withToken(address, target.createToken(undefined, life)) : address
  if (terminal.json) terminal.object({ uri: text })
  else terminal.line(text)
  return 0
}

/**
 * @param {String} address
 * @param {String} token
 * @return {String} The address with the token in its query
 */
function withToken(address, token) {
  return `${address}${address.includes('?') ? '&' : '?'}sb-hc-token=${encodeURIComponent(token)}`
}

module.exports = uri
