'use strict'

/** How many bytes of a binary message a terminal shows. */
const SHOWN_BYTES = 32

/** Those who wait until standard output takes more. */
const waiting = new Set()

/**
 * Writes a message to standard output. While a slow reader holds that up, its socket is paused.
 *
 * @param {Terminal} terminal
 * @param {RelayedSocket} socket Whose message it is
 * @param {Buffer} data
 * @param {Boolean} isBinary
 * @param {String} [id] Tracking id of the connection, for `--json`
 * @param {String} [label] What stands before it on a terminal
 */
function showMessage(terminal, socket, data, isBinary, { id, label = '' } = {}) {
  if (!process.stdout.write(format(terminal, data, isBinary, id, label))) pauseUntilDrain(socket)
}

/**
 * Tells that a connection is closed.
 *
 * @param {Terminal} terminal
 * @param {Number} code
 * @param {Buffer} reason
 * @param {String} [id] Of the connection, for `--json`
 * @param {String} [name] Of the connection, on a terminal
 */
function showClose(terminal, code, reason, { id, name } = {}) {
  const why = String(reason)
  const line = [name, 'closed:', code, why].filter((part) => part !== undefined && part !== '')
  terminal.status(line.join(' '), { event: 'close', id, code, reason: why })
}

/**
 * @param {Terminal} terminal
 * @param {Buffer} data
 * @param {Boolean} isBinary
 * @param {String} [id]
 * @param {String} label
 * @return {(String|Buffer)}
 */
function format(terminal, data, isBinary, id, label) {
  if (terminal.json) {
    const content = isBinary ? { base64: data.toString('base64') } : { data: String(data) }
    return `${JSON.stringify({ event: 'message', id, ...content })}\n`
  }
  if (!process.stdout.isTTY) return isBinary ? data : `${data}\n`
  if (!isBinary) return `${label}${terminal.safe(String(data))}\n`
  const start = data.subarray(0, SHOWN_BYTES).toString('hex')
  const more = data.length > SHOWN_BYTES ? '…' : ''
  const size = data.length === 1 ? '1 byte' : `${data.length} bytes`
  return `${label}${terminal.style('dim', `${size}: ${start}${more}`)}\n`
}

/**
 * @param {RelayedSocket} socket
 */
function pauseUntilDrain(socket) {
  socket.pause()
  if (waiting.size === 0) {
    process.stdout.once('drain', () => {
      const sockets = [...waiting]
      waiting.clear()
      for (const socket of sockets) socket.resume()
    })
  }
  waiting.add(socket)
}

module.exports = { showClose, showMessage }
