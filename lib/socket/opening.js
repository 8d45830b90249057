'use strict'

const { CONNECTING, OPEN, CLOSING, CLOSED } = require('ws')

const { run } = require('../context')
const { publish, wanted } = require('../diagnostics')
const { fromNative } = require('../errors')
const { nextTick, setImmediate } = require('../globals')
const HandshakeRequest = require('./handshake-request')
const HandshakeResponse = require('./handshake-response')

/** The cores of the sockets that became open in this turn. */
let arriving = []

/**
 * How a socket comes to be open, or not. Each function gets the core of the socket.
 */

/** The native side has opened the connection. */
function opened(core, { protocol, response }) {
  core.connected = true
  try {
    if (response && core.face.listenerCount('upgrade') > 0) {
      core.face.emit('upgrade', new HandshakeResponse(response))
    }
  } finally {
    // A listener may have given it up.
    if (core.state === CONNECTING) open(core, protocol ?? '')
  }
}

function open(core, protocol) {
  core.state = OPEN
  core.protocol = protocol
  core.wasOpen = true
  const { hooks } = core
  core.hooks = null
  try {
    if (wanted('socket:open')) publish('socket:open', about(core))
    hooks?.opened?.(core.face)
  } finally {
    if (core.state === OPEN) {
      arrive(core)
      core.face.emit('open')
    }
  }
}

/** Holds back what comes until the next turn, so that who awaits the socket by `once()` misses nothing. */
function arrive(core) {
  if (core.paused || core.gone) return
  core.arriving = true
  core.holding = true
  core.settleMode()
  // One for all sockets of the turn.
  if (arriving.push(core) === 1) setImmediate(endTurn)
}

/** The turn is over. */
function endTurn() {
  const cores = arriving
  arriving = []
  cores.forEach(arrived)
}

/** The turn in which a socket became open is over. */
function arrived(core) {
  core.arriving = false
  if (core.held !== null) core.held.releaseSoon()
  else if (!core.paused && !core.gone) {
    core.holding = !core.options.allowSynchronousEvents
    core.settleMode()
  }
}

/** @return {Object} The socket, the server that has it, and the id under which the relay knows it */
function about({ face, server }) {
  const trackingId = new URL(face.url).searchParams.get('sb-hc-id') ?? undefined
  return { ...(server && { server }), socket: face, trackingId }
}

/**
 * The native side could not open it. With a listener for the answer it is up to the program what
 * becomes of the socket, as in ws.
 */
function refused(core, failure) {
  const { response } = failure
  if (response && core.face.listenerCount('unexpected-response') > 0) {
    const answer = new HandshakeResponse(response)
    core.face.emit('unexpected-response', new HandshakeRequest(), answer)
    return
  }
  const describe = core.hooks?.describe ?? fromNative
  failed(core, describe(failure))
}

/** Reports that it will not be open. */
function failed(core, error) {
  core.state = CLOSING
  core.gone = true
  const { hooks } = core
  core.hooks = null
  if (hooks?.failed) {
    core.state = CLOSED
    hooks.failed(core.face, error)
    return
  }
  try {
    core.emitError(error)
  } finally {
    core.emitClose()
  }
}

/** Fails before anything was dialled. */
function fail(core, error) {
  if (core.state === CONNECTING) run(core.context, failed, undefined, core, error)
}

/** Gives the connection up before it is open, for that reason. */
function abandon(core, error) {
  core.state = CLOSING
  if (core.link !== null && !core.gone) {
    core.link.abort()
    if (core.connected) core.link.destroy()
  }
  core.gone = true
  nextTick(run, core.context, failed, undefined, core, error)
}

module.exports = { about, abandon, fail, opened, refused }
