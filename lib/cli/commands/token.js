'use strict'

const { usageError } = require('../failure')
const { findTarget } = require('../target')

/**
 * Prints a token.
 *
 * @param {Object} values
 * @param {String[]} positionals
 * @param {Terminal} terminal
 * @return {Number} The exit code
 */
function token(values, [uri], terminal) {
  const target = findTarget(values, { path: false })
  if (target.keyName === undefined) {
    throw usageError(
      'There is no key to sign with.',
      'Give --key-name and --key, or a connection string that has a key.',
    )
  }
  const life = (values.expiresIn ?? 3_600_000) / 1000
  const resource = uri ?? target.url.href
  const text = sign(target, resource, life)
  if (!terminal.json) terminal.line(text)
  else terminal.object({ token: text, expires: new Date(Number(/se=(\d+)/.exec(text)[1]) * 1000) })
  return 0
}

/**
 * @param {Target} target
 * @param {String} resource
 * @param {Number} life Seconds
 * @return {String}
 * @throws {Failure} for what is no address
 */
function sign(target, resource, life) {
  try {
    return target.createToken(resource, life)
  } catch (error) {
    if (error.code !== 'HYCO_ERR_INVALID_ADDRESS') throw error
    throw usageError(
      `A token cannot be for '${resource}': ${error.message}.`,
      'Give an address, such as sb://contoso.servicebus.windows.net/hyco.',
    )
  }
}

module.exports = token
