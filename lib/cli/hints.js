'use strict'

const { hintOf } = require('../hints')
const { redact } = require('../native')

/** How Node calls it that nobody is trusted who has signed a certificate. */
const UNTRUSTED = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

/** What to do on a command line; for the rest the package itself knows something. */
const HINTS = {
  HYCO_ERR_CONNECT: (error, { url }) =>
    error.cause?.code === 'ECONNREFUSED' && isLocal(url)
      ? "Nothing listens there. Start the local relay with 'hyco-rs emulator'."
      : undefined,
  HYCO_ERR_ENDPOINT_NOT_FOUND: (error, { url }) =>
    isLocal(url)
      ? "Start the local relay with it: 'hyco-rs emulator --hybrid-connection NAME'. Or check --path."
      : 'Create the hybrid connection in the portal, or with: az relay hyco create. Or check --path.',
  HYCO_ERR_NO_LISTENER: () =>
    "Start a listener for this hybrid connection, such as 'hyco-rs listen --echo'.",
  HYCO_ERR_UNAUTHORIZED: ({ reason = '' }) => {
    if (/MissingToken/.test(reason)) {
      return 'Give --key-name and --key, or --token, or a connection string that has a key.'
    }
    return /MalformedToken/.test(reason)
      ? "What --token gives is no token; 'hyco-rs token' prints one."
      : undefined
  },
  HYCO_ERR_TLS: ({ cause }) =>
    UNTRUSTED.has(cause?.code)
      ? 'If a proxy of your company re-encrypts, or the relay is the local one, name its certificate with --ca FILE.'
      : undefined,
}

/**
 * Adds to an error of the library what the user can do.
 *
 * @param {Error} error
 * @param {Target} target
 * @return {Error} The same, without secrets
 */
function explain(error, target) {
  error.message = redact(withoutHint(error))
  error.hint = HINTS[error.code]?.(error, target) ?? error.hint ?? hintOf(error)
  return error
}

/**
 * @param {Error} error
 * @return {String} Its message; what one can do stands in a line of its own
 */
function withoutHint({ hint, message }) {
  return hint && message.endsWith(`. ${hint}`) ? message.slice(0, -hint.length - 2) : message
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
