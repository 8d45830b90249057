'use strict'

const { buffer } = require('node:stream/consumers')

const { EXIT, Failure } = require('../failure')
const { showMessage } = require('../messages')
const { ended, openSender } = require('../sender')
const { findTarget } = require('../target')
const { interruption } = require('../terminal')

/**
 * Sends messages, and waits for answers.
 *
 * @param {Object} values
 * @param {String[]} messages
 * @param {Terminal} terminal
 * @return {Promise<Number>} The exit code
 */
async function send(values, messages, terminal) {
  const target = findTarget(values)
  const signal = interruption()
  const bodies = messages.length > 0 ? messages : [await input(values)]
  const socket = await openSender(target, values, terminal, signal)
  terminal.status(`connected to ${target.name}`, { event: 'open', protocol: socket.protocol })
  const end = ended(socket)
  const answered = replies(socket, values.replies ?? 0, target.timeout, terminal)
  signal.addEventListener('abort', () => socket.terminate())
  socket.resume()
  try {
    for (const body of bodies) await sendOne(socket, values.binary ? Buffer.from(body) : body)
    await Promise.race([answered, end.then(endedEarly)])
    socket.close(1000)
    await end
  } catch (error) {
    if (signal.aborted) throw new Failure('Interrupted.', { exit: EXIT.interrupted })
    throw error
  } finally {
    socket.terminate()
  }
  terminal.status(`sent ${bodies.length === 1 ? 'a message' : `${bodies.length} messages`}`, {
    event: 'sent',
    messages: bodies.length,
  })
  return 0
}

/**
 * @param {Object} values
 * @return {Promise<(String|Buffer)>} What standard input holds
 */
async function input({ binary }) {
  const data = await buffer(process.stdin)
  return binary ? data : data.toString('utf8').replace(/\r?\n$/, '')
}

/**
 * @param {RelayedSocket} socket
 * @param {(String|Buffer)} body
 * @return {Promise<void>} When the operating system has taken it
 */
function sendOne(socket, body) {
  return new Promise((resolve, reject) => {
    socket.send(body, (error) => (error ? reject(error) : resolve()))
  })
}

/**
 * Prints what the listener says, until that many messages have come.
 *
 * @param {RelayedSocket} socket
 * @param {Number} wanted
 * @param {Number} timeout Milliseconds for each
 * @param {Terminal} terminal
 * @return {Promise<void>}
 */
function replies(socket, wanted, timeout, terminal) {
  const { promise, resolve, reject } = deferred()
  let missing = wanted
  const late = () =>
    reject(
      new Failure(`The listener did not answer within ${timeout / 1000} s.`, {
        exit: EXIT.network,
        hint: `${missing} of ${wanted} replies are missing. --timeout SECONDS waits longer.`,
      }),
    )
  let timer = wanted > 0 ? setTimeout(late, timeout) : undefined
  socket.on('message', (data, isBinary) => {
    showMessage(terminal, socket, data, isBinary)
    clearTimeout(timer)
    missing -= 1
    if (missing <= 0) resolve()
    else timer = setTimeout(late, timeout)
  })
  socket.on('close', () => clearTimeout(timer))
  if (wanted === 0) resolve()
  // It is awaited after the messages are sent, which may fail before.
  promise.catch(() => {})
  return promise
}

/** The listener has closed, and well, while its replies were waited for. */
function endedEarly() {
  throw new Failure('The listener has closed before it sent all replies.')
}

/** @return {Object} A promise and what settles it */
function deferred() {
  const parts = {}
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }))
  return parts
}

module.exports = send
