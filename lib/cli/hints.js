'use strict'

const { redact } = require('../native')

/** What to do about a failure, by its code. */
const HINTS = {
  HYCO_ERR_CONNECT: (error, { url }) =>
    ({
      ECONNREFUSED: isLocal(url)
        ? "Nothing listens there. Start the local relay with 'hyco-rs emulator'."
        : 'Check host and port; the relay listens on port 443.',
      ENOTFOUND: 'Check how the namespace is spelt, and that this machine can resolve names.',
    })[error.cause?.code] ?? 'Check network, firewall and proxy.',
  HYCO_ERR_ENDPOINT_NOT_FOUND: () =>
    'Create the hybrid connection in the portal, or with: az relay hyco create. Or check --path.',
  HYCO_ERR_NO_LISTENER: () =>
    "Start a listener for this hybrid connection, such as 'hyco-rs listen --echo'.",
  HYCO_ERR_TLS: () =>
    'If a proxy of your company re-encrypts, or the relay is the local one, name its certificate with --ca FILE.',
  HYCO_ERR_UNAUTHORIZED: () =>
    "Check the rule's name, key and rights (Listen to listen, Send to send) and the clock.",
}

/**
 * Adds to an error of the library what the user can do.
 *
 * @param {Error} error
 * @param {Target} target
 * @return {Error} The same, without secrets
 */
function explain(error, target) {
  error.message = redact(error.message)
  error.hint ??= HINTS[error.code]?.(error, target)
  return error
}

/**
 * The same for a command that leaves the search to `doctor`.
 *
 * @param {Error} error
 * @param {Target} target
 * @return {Error}
 */
function withHint(error, target) {
  if (explain(error, target).hint !== undefined && error.code !== undefined) {
    error.hint += " 'hyco-rs doctor' checks the whole way."
  }
  return error
}

/**
 * @param {URL} url
 * @return {Boolean} Whether it leads to this machine
 */
function isLocal({ hostname }) {
  return /^(?:localhost|127\.[\d.]+|\[::1\])$/.test(hostname)
}

module.exports = { explain, withHint }
