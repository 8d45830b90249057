'use strict'

/** What the program's exit code tells. docs/cli.md shows this table. */
const EXIT = {
  ok: { code: 0, meaning: 'It is done. A command that runs until you end it was ended by you.' },
  failed: { code: 1, meaning: 'It failed in a way that has no code of its own.' },
  usage: { code: 2, meaning: 'The command line or the configuration cannot be used.' },
  network: { code: 3, meaning: 'The relay cannot be reached: name, network, proxy, TLS or time.' },
  unauthorized: { code: 4, meaning: 'The relay refuses the token, or there is none.' },
  notFound: { code: 5, meaning: 'There is no such hybrid connection, or nobody listens on it.' },
  rejected: { code: 6, meaning: 'The other side answered, and refused.' },
  interrupted: { code: 130, meaning: 'You interrupted it before it was done.' },
}

/** The exit code of an error, by the error's own code. */
const EXIT_OF = new Map([
  ['HYCO_ERR_CONNECT', EXIT.network],
  ['HYCO_ERR_CONNECTION_LOST', EXIT.network],
  ['HYCO_ERR_ENDPOINT_NOT_FOUND', EXIT.notFound],
  ['HYCO_ERR_INVALID_ADDRESS', EXIT.usage],
  ['HYCO_ERR_INVALID_ARGUMENT', EXIT.usage],
  ['HYCO_ERR_INVALID_CONNECTION_STRING', EXIT.usage],
  ['HYCO_ERR_INVALID_OPTION', EXIT.usage],
  ['HYCO_ERR_INVALID_TOKEN', EXIT.unauthorized],
  ['HYCO_ERR_NO_LISTENER', EXIT.notFound],
  ['HYCO_ERR_PROXY', EXIT.network],
  ['HYCO_ERR_REJECTED', EXIT.rejected],
  ['HYCO_ERR_TIMEOUT', EXIT.network],
  ['HYCO_ERR_TLS', EXIT.network],
  ['HYCO_ERR_TOKEN', EXIT.unauthorized],
  ['HYCO_ERR_UNAUTHORIZED', EXIT.unauthorized],
  ['HYCO_ERR_UNAVAILABLE', EXIT.network],
])

/**
 * A failure that is told to the user as it stands.
 */
class Failure extends Error {
  /**
   * @param {String} message What is wrong, and why
   * @param {Object} [options]
   * @param {Object} [options.exit] One of `EXIT`
   * @param {String} [options.hint] What to do
   * @param {*} [options.cause]
   */
  constructor(message, { exit = EXIT.failed, hint, cause } = {}) {
    super(message, { cause })
    this.exit = exit
    this.hint = hint
  }
}

/**
 * @param {String} message
 * @param {String} [hint]
 * @return {Failure} The command line or configuration is wrong
 */
function usageError(message, hint) {
  return new Failure(message, { exit: EXIT.usage, hint })
}

/**
 * @param {Error} error
 * @return {Object} One of `EXIT`
 */
function exitOf(error) {
  return error.exit ?? EXIT_OF.get(error.code) ?? EXIT.failed
}

module.exports = { EXIT, Failure, exitOf, usageError }
