'use strict'

const { once } = require('node:events')

const { EXIT, Failure, usageError } = require('./failure')
const { withHint } = require('./hints')

/** Codes with which a connection ends well. */
const GOOD_ENDS = new Set([1000, 1001, 1005])

/**
 * Connects as a sender.
 *
 * @param {Target} target
 * @param {Object} values The options `header` and `protocol` of the command
 * @param {Terminal} terminal
 * @param {AbortSignal} signal Gives up when it is aborted
 * @return {Promise<RelayedSocket>} It is open, and paused until its listeners are added
 * @throws {Error} with a hint
 */
async function openSender(target, { header, protocol = [] }, terminal, signal) {
  const socket = startSender(target, { headers: readHeaders(header), protocols: protocol })
  const over = terminal.waiting(`connecting to ${target.name}`)
  const giveUp = () => socket.terminate()
  signal.addEventListener('abort', giveUp)
  // A listener may speak first, before anybody here can hear it.
  socket.once('open', () => socket.pause())
  try {
    await once(socket, 'open')
    return socket
  } catch (error) {
    if (signal.aborted) throw new Failure('Interrupted.', { exit: EXIT.interrupted })
    throw withHint(error, target)
  } finally {
    over()
    signal.removeEventListener('abort', giveUp)
  }
}

/**
 * @param {Target} target
 * @param {Object} options Those of `relayedConnect`
 * @return {RelayedSocket} It is connecting
 */
function startSender(target, options) {
  return require('../../index').relayedConnect(target.sendUri, target.createToken(), {
    ...target.network,
    handshakeTimeout: target.timeout,
    ...options,
  })
}

/**
 * Waits for the end of a connection.
 *
 * @param {RelayedSocket} socket
 * @param {Object} [asked] Its `code` is a good end, too
 * @return {Promise<void>}
 * @throws {Failure} if it did not end well
 */
async function ended(socket, asked) {
  let failure
  socket.on('error', (error) => {
    failure = error
  })
  const [code, reason] =
    socket.readyState === socket.CLOSED ? [1006, ''] : await once(socket, 'close')
  if (failure !== undefined) throw failure
  if (GOOD_ENDS.has(code) || code === asked?.code) return
  const why = String(reason) === '' ? '' : `: ${reason}`
  throw new Failure(`The connection ended with code ${code}${why}.`, {
    hint: code === 1006 ? 'It was lost, or the other side ended without saying so.' : undefined,
  })
}

/**
 * @param {String[]} [lines] As `Name: value`
 * @return {Object} Names and values
 */
function readHeaders(lines = []) {
  const headers = {}
  for (const line of lines) {
    const found = /^([!#$%&'*+.^_`|~\w-]+):\s*(.*)$/.exec(line)
    if (found === null) {
      throw usageError(`'${line}' is no header.`, "Write it as --header 'Name: value'.")
    }
    const [, name, value] = found
    headers[name] = name in headers ? [headers[name], value].flat() : value
  }
  return headers
}

module.exports = { ended, openSender, readHeaders, startSender }
