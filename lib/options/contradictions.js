'use strict'

const { invalidOption } = require('../errors')

/** Pairs of options: if the first is given, the second has no effect. */
const OVERRIDDEN = [
  ['token', 'key'],
  ['token', 'keyName'],
]

/**
 * Refuses options of a server that say two things at once, and warns where one of them is passed over.
 *
 * @param {Object} options With their defaults, where `null` is none
 * @throws {TypeError} naming the option
 */
function checkContradictions(options) {
  const has = (name) => options[name] !== null && options[name] !== undefined
  if (has('connectionString')) {
    for (const name of ['server', 'keyName', 'key']) {
      if (has(name)) throw invalidOption(name, "cannot be given together with 'connectionString'")
    }
  }
  for (const [first, second] of OVERRIDDEN) {
    if (has(first) && has(second)) warn(`'${second}' is passed over, since there is '${first}' too`)
  }
  if (has('tokenScope') && typeof options.token?.getToken !== 'function') {
    warn("'tokenScope' has no effect, since 'token' is no credential")
  }
}

/** @param {String} message */
function warn(message) {
  process.emitWarning(`RelayedServer: the option ${message}`, {
    code: 'HYCO_WARN_CONTRADICTING_OPTIONS',
  })
}

module.exports = { checkContradictions }
