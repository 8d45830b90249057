'use strict'

/**
 * Every error of this package is an ordinary `Error` (or `TypeError`, `SyntaxError`) with a stable
 * `code`. Failures of the relay come from Rust with theirs; the codes below are made here.
 */

const { hintOf } = require('./hints')

/** An option is missing or of the wrong kind. */
const INVALID_OPTION = 'HYCO_ERR_INVALID_OPTION'

/** An argument of a function is of the wrong kind. */
const INVALID_ARGUMENT = 'HYCO_ERR_INVALID_ARGUMENT'

/** An address is no URL that a relay can be reached at. */
const INVALID_ADDRESS = 'HYCO_ERR_INVALID_ADDRESS'

/** A header has a name or a value that cannot be sent, or is one that the protocol itself needs. */
const INVALID_HEADER = 'HYCO_ERR_INVALID_HEADER'

/** `handleProtocols` or a `'headers'` listener chose a subprotocol that the sender did not offer. */
const INVALID_PROTOCOL = 'HYCO_ERR_INVALID_PROTOCOL'

/** A token function or credential failed, or gave something that is no token. */
const TOKEN = 'HYCO_ERR_TOKEN'

/** The sender has left, or the relay no longer knows it. Made in Rust. */
const SENDER_GONE = 'HYCO_ERR_SENDER_GONE'

/** A `verifyClient` or `handleProtocols` handler threw, or never decided. */
const HANDLER = 'HYCO_ERR_HANDLER'

/** There is no binary for this platform, or it cannot be used. */
const NATIVE_BINDING = 'HYCO_ERR_NATIVE_BINDING'

/** A socket was closed by the program before it was open. Rust has the same for what it gave up. */
const CLOSED = 'HYCO_ERR_CLOSED'

/** A proxy on the way refuses, or cannot be reached. Made in Rust. */
const PROXY = 'HYCO_ERR_PROXY'

/** A connection broke. */
const CONNECTION_LOST = 'HYCO_ERR_CONNECTION_LOST'

/** Something took longer than its deadline. */
const TIMEOUT = 'HYCO_ERR_TIMEOUT'

/**
 * Makes an error of this package.
 *
 * @param {String} code One of the codes
 * @param {String} message What happened
 * @param {Object} [options]
 * @param {*} [options.cause] The failure behind it
 * @param {Function} [options.Type=Error] The class
 * @return {Error}
 */
function createError(code, message, { cause, Type = Error } = {}) {
  const error = cause === undefined ? new Type(message) : new Type(message, { cause })
  error.code = code
  return error
}

/**
 * Makes the error for an option that cannot be used. The value itself is never shown: it may be a
 * secret.
 *
 * @param {String} name The option, with its path (`tls.ca`)
 * @param {String} expected What it must be ("must be a non-negative number")
 * @param {*} [cause] The failure behind it
 * @return {TypeError}
 */
function invalidOption(name, expected, cause) {
  return createError(INVALID_OPTION, `'${name}' ${expected}`, { cause, Type: TypeError })
}

/**
 * Makes the error for an argument that cannot be used.
 *
 * @param {String} name The argument
 * @param {String} expected What it must be
 * @return {TypeError}
 */
function invalidArgument(name, expected) {
  return createError(INVALID_ARGUMENT, `'${name}' ${expected}`, { Type: TypeError })
}

/**
 * @param {*} value Anything, also what cannot become a text
 * @return {String} A text for it
 */
function textOf(value) {
  try {
    return String(value instanceof Error ? value.message : value)
  } catch {
    return Object.prototype.toString.call(value)
  }
}

/**
 * Makes the `Error` for a failure that Rust reported.
 *
 * @param {Object} failure
 * @param {String} failure.code The stable code
 * @param {String} failure.message What happened
 * @param {Number} [failure.statusCode] The HTTP status the other side answered
 * @param {String} [failure.reason] The reason phrase it answered
 * @param {String} [failure.trackingId] The id under which the relay knows the request
 * @param {String} [failure.refusedBy] Who answered: `listener` or `relay`
 * @param {Number} [failure.closeCode] How the other side closed the WebSocket
 * @param {(Object|String)} [failure.cause] The failure behind it: its text, or text and code
 * @return {Error} With a `hint`, also at the end of its message, where the cause is commonly known
 */
function fromNative(failure) {
  const hint = hintOf(failure)
  const message = hint ? `${failure.message.replace(/\.$/, '')}. ${hint}` : failure.message
  const Type = MISUSE.has(failure.code) ? TypeError : Error
  const error = createError(failure.code, message, { cause: nativeCause(failure.cause), Type })
  if (hint) error.hint = hint
  if (failure.statusCode !== undefined && failure.statusCode !== null) {
    error.statusCode = failure.statusCode
  }
  if (typeof failure.reason === 'string') error.reason = failure.reason
  if (typeof failure.closeCode === 'number') error.closeCode = failure.closeCode
  if (typeof failure.trackingId === 'string') error.trackingId = failure.trackingId
  if (typeof failure.refusedBy === 'string') error.refusedBy = failure.refusedBy
  return error
}

/** What a program gave wrong, whichever side has seen it. */
const MISUSE = new Set([INVALID_ARGUMENT, INVALID_OPTION])

/**
 * @param {(Object|String|null|undefined)} cause
 * @return {(Error|undefined)}
 */
function nativeCause(cause) {
  if (cause === undefined || cause === null) return undefined
  const { message, code } = typeof cause === 'string' ? { message: cause } : cause
  const error = new Error(message)
  // It happened in Rust: frames of this file would only hide the caller above them.
  error.stack = String(error)
  if (typeof code === 'string') error.code = code
  return error
}

module.exports = {
  CONNECTION_LOST,
  CLOSED,
  HANDLER,
  INVALID_ADDRESS,
  INVALID_ARGUMENT,
  INVALID_HEADER,
  INVALID_OPTION,
  INVALID_PROTOCOL,
  NATIVE_BINDING,
  PROXY,
  SENDER_GONE,
  TIMEOUT,
  TOKEN,
  createError,
  fromNative,
  invalidArgument,
  invalidOption,
  textOf,
}
