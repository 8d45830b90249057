'use strict'

/** What the system's own code of a failed connect means. */
const CONNECT = {
  ECONNREFUSED: 'Nothing listens at that host and port; is the local relay running?',
  ENOTFOUND: 'Check the name of the namespace, and whether this machine can resolve names.',
}

/** What commonly causes a failure, by its code. */
const HINTS = {
  HYCO_ERR_CONNECT: ({ cause }) =>
    CONNECT[cause?.code] ?? 'Check the network, the firewall and whether a proxy is needed.',
  HYCO_ERR_ENDPOINT_NOT_FOUND: () => 'Create the hybrid connection, or mend its path.',
  HYCO_ERR_NO_LISTENER: () => 'Start a listener for this hybrid connection.',
  HYCO_ERR_PROXY: () => 'Check the address of the proxy, its user and its password.',
  HYCO_ERR_QUOTA: () =>
    'A hybrid connection takes 25 listeners; close one, or spread them over several.',
  HYCO_ERR_TLS: () => "Name the issuer of the certificate in 'tls.ca' or NODE_EXTRA_CA_CERTS.",
  HYCO_ERR_TOKEN: () => 'Check the token function or the credential.',
  HYCO_ERR_UNAUTHORIZED: unauthorized,
}

/** What the relay's words about a token mean. */
const REASONS = [
  [/ExpiredToken|expired/i, 'The token has ended; is the clock of this machine right?'],
  [/InvalidAudience|audience/i, 'The token is for another address; sign it for this one.'],
  [/InvalidSignature|signature/i, 'The key is not that of the rule.'],
  [
    /claim|right|permission/i,
    'The rule lacks the right: Listen is needed to listen, Send to connect.',
  ],
]

/**
 * What you can do about a failure, where its cause is commonly known.
 *
 * @param {Object} error One of this package, or what the native side reports of it
 * @return {(String|undefined)} A sentence
 */
function hintOf(error) {
  return HINTS[error.code]?.(error)
}

function unauthorized({ reason }) {
  const known = REASONS.find(([words]) => words.test(reason ?? ''))
  if (known) return known[1]
  return "Check the rule's name, its key and its rights, and the clock of this machine."
}

module.exports = { hintOf }
