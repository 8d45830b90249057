'use strict'

const { CLOSING, CLOSED } = require('ws')

const { CLOSE, closePayload } = require('./payload')

/**
 * The closing handshake of RFC 6455, in the order in which ws does it. Each function gets the core of
 * the socket.
 */

/** Sends the close frame, or ends an open handshake when both sides have closed. */
function close(core, code, data) {
  if (core.state === CLOSED) return
  if (core.state === CLOSING) {
    if (core.closeSent) endIfBothClosed(core)
    return
  }
  const payload = closePayload(code, data)
  core.frame(CLOSE, true, true, payload, (error) => {
    if (error) return
    core.closeSent = true
    // Read by the 'close' event of ws's EventTarget face, for `wasClean`.
    core.face._closeFrameSent = true
    endIfBothClosed(core)
  })
  core.startClosing()
}

/** After a violation no close frame of the peer is awaited. */
function endIfBothClosed(core) {
  if (core.closeReceived || core.violated) core.end()
}

/** Acts on the peer's close frame: answers it, or ends when both have closed. */
function conclude(core, code, reason) {
  core.closeReceived = true
  core.face._closeFrameReceived = true
  core.closeCode = code
  core.closeReason = reason
  if (core.gone) return
  if (code === 1005) core.close()
  else core.close(code, reason)
}

/** Acts on a frame of the peer that breaks the protocol or a limit. */
function violate(core, { message, code, closeCode, range }) {
  core.violated = true
  const error = new (range ? RangeError : Error)(message)
  error.code = code
  if (!core.gone) core.close(closeCode)
  core.emitError(error)
}

module.exports = { close, conclude, violate }
