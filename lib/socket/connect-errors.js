'use strict'

const { CLOSED, PROXY, TIMEOUT, createError, fromNative } = require('../errors')

const TIMED_OUT = 'Opening handshake has timed out'

/**
 * Makes the error of a connection that cannot be opened. Programs that were written for ws match its
 * texts, so the message begins with the text of ws where ws has one.
 *
 * @param {Object} failure As the native side reports it
 * @return {Error}
 */
function connectError(failure) {
  const { code, message, statusCode } = failure
  // What a proxy answered is no answer of the relay.
  if (typeof statusCode === 'number' && code !== PROXY) {
    return fromNative({
      ...failure,
      message: `Unexpected server response: ${statusCode} (${message})`,
    })
  }
  if (code === TIMEOUT) return fromNative({ ...failure, message: `${TIMED_OUT} (${message})` })
  return fromNative(failure)
}

/**
 * @param {Number} timeout Milliseconds
 * @return {Error} The error of a token that did not come in time
 */
function tokenTimeout(timeout) {
  return createError(TIMEOUT, `${TIMED_OUT} (waiting for a token took longer than ${timeout} ms)`)
}

/**
 * Makes the error of a connect that a signal ended: that of ws, in the shape of an `AbortError`.
 *
 * @param {*} reason That of the signal
 * @return {Error}
 */
function abortError(reason) {
  const text = 'WebSocket was closed before the connection was established'
  const error = createError(CLOSED, text, { cause: reason })
  error.name = 'AbortError'
  error.code = 'ABORT_ERR'
  return error
}

/**
 * Lets an error that comes later point at the one who called.
 *
 * @param {Function} called The function whose caller is meant
 * @return {Function} Given an error, gives it the stack of the caller
 */
function callSite(called) {
  const site = {}
  Error.captureStackTrace(site, called)
  return (error) => {
    const frames = site.stack.indexOf('\n    at ')
    if (frames !== -1) error.stack = `${error.name}: ${error.message}${site.stack.slice(frames)}`
    return error
  }
}

module.exports = { abortError, callSite, connectError, tokenTimeout }
