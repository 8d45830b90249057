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
  const text = target.createToken(resource, life)
  if (!terminal.json) terminal.line(text)
  else terminal.object({ token: text, expires: new Date(Number(/se=(\d+)/.exec(text)[1]) * 1000) })
  return 0
}

module.exports = token
