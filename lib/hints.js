'use strict'

/** What is common to the failures of a way on which something swallows or breaks connections. */
const ON_THE_WAY =
  "Check the network, the firewall, and whether a proxy is needed (option 'proxy', HTTPS_PROXY)."

const UNTRUSTED =
  "Name the issuer of the certificate in 'tls.ca' or NODE_EXTRA_CA_CERTS; a proxy that inspects TLS " +
  'has an issuer of its own.'

/** What the system's own code of a failed connect means. */
const CONNECT = {
  ECONNREFUSED: 'Nothing listens at that host and port; is the local relay running?',
  ENOTFOUND:
    'Check the name of the namespace, and whether this machine can resolve names; where only a proxy ' +
    "can, name it (option 'proxy', HTTPS_PROXY).",
  EAI_AGAIN: 'This machine cannot resolve names at the moment; check its network and its DNS.',
}

/** What the codes mean that Node gives to failures of TLS. */
const TLS = {
  CERT_HAS_EXPIRED: "The certificate has ended, or this machine's clock is wrong.",
  CERT_NOT_YET_VALID: "The certificate is not valid yet, or this machine's clock is wrong.",
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  ECONNRESET: `The connection was cut during the TLS handshake. ${ON_THE_WAY}`,
  EPROTO:
    'The relay refused the TLS handshake; it may want a certificate of yours (option tls.cert).',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'The relay has to speak TLS 1.2 or 1.3.',
  ERR_SSL_WRONG_VERSION_NUMBER:
    "That port speaks no TLS; if it is the right one, begin the address with 'ws://'.",
  ERR_TLS_CERT_ALTNAME_INVALID:
    'The certificate is for another name; use a name in the address that it holds, or say which to ' +
    "expect with 'tls.servername'.",
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
}

/** What commonly causes a failure, by its code. */
const HINTS = {
  HYCO_ERR_CONNECT: ({ cause }) => CONNECT[cause?.code] ?? ON_THE_WAY,
  HYCO_ERR_CONNECTION_LOST: connectionLost,
  HYCO_ERR_ENDPOINT_NOT_FOUND: () => 'Create the hybrid connection, or mend its path.',
  HYCO_ERR_NO_LISTENER: () => 'Start a listener for this hybrid connection.',
  HYCO_ERR_PROXY: proxy,
  HYCO_ERR_QUOTA: () =>
    'A hybrid connection takes 25 listeners; close one, or spread them over several.',
  HYCO_ERR_REJECTED: rejected,
  HYCO_ERR_TIMEOUT: timeout,
  HYCO_ERR_TLS: ({ cause }) => TLS[cause?.code],
  HYCO_ERR_UNAUTHORIZED: unauthorized,
}

/** What the relay's words about a token mean. */
const REASONS = [
  [/ExpiredToken|expired/i, 'The token has ended; is the clock of this machine right?'],
  [/InvalidAudience|audience/i, 'The token is for another address; sign it for this one.'],
  [
    /InvalidSignature|signature/i,
    'The key is not that of the rule, or there is no rule of that name.',
  ],
  [/MissingToken|no token/i, "Give a 'token', or 'keyName' and 'key': the relay got none."],
  [/MalformedToken|malformed/i, 'What was given as the token is none; createRelayToken makes one.'],
  [
    /claim|right|permission|authorization failed for specified action/i,
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

/** What was open once comes back by itself, or has told its reason. */
function connectionLost({ message }) {
  if (!/opening handshake/.test(message)) return undefined
  return (
    "What answers there ended the connection; if the port speaks TLS, begin the address with 'wss://'. " +
    ON_THE_WAY
  )
}

function proxy({ cause, message, statusCode }) {
  if (statusCode === 407 && /only Basic is known/.test(message)) {
    return 'Run a proxy on this machine that signs in at the other one, and name that in its place.'
  }
  if (statusCode === 407) {
    return 'Give the user and the password that the proxy wants: http://user:password@host:port.'
  }
  if (statusCode === 403) return 'Have the proxy allow connections to that host and port.'
  if (typeof statusCode === 'number')
    return 'Ask who runs the proxy whether it can reach the relay.'
  if (cause?.code) {
    return "Check the address of the proxy: option 'proxy', HTTPS_PROXY, ALL_PROXY; NO_PROXY leaves it out."
  }
  return 'Check the address of the proxy, its kind, its user and its password.'
}

/** Answers that no relay gives, but what is in its place. */
function rejected({ statusCode, trackingId }) {
  if (statusCode === 407) return 'A proxy wants to be asked; name it with its user and password.'
  // The relay signs what it passes on, so this is what the listener's HTTP server has said.
  if (statusCode >= 200 && statusCode < 400 && typeof trackingId === 'string') {
    return (
      "The listener took this for an HTTP request: it serves HTTP, and needs a 'connection' listener " +
      'to take WebSockets.'
    )
  }
  if (statusCode >= 200 && statusCode < 400) {
    return `What answers there is no relay: check the address. ${ON_THE_WAY}`
  }
  if (statusCode === 429 || statusCode >= 500) {
    return 'The listener, or something on the way to it, cannot take more at the moment; try again later.'
  }
  return undefined
}

/** The steps in which nothing was heard from the other side; what is late elsewhere is not the network. */
const SILENT =
  /(?:connection attempt|name look-up|(?:opening|TLS) handshake|answer of the proxy) has/

function timeout({ message }) {
  return SILENT.test(message) ? ON_THE_WAY : undefined
}

module.exports = { hintOf }
