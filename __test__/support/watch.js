'use strict'

require('./environment')

/**
 * Waits for the `'close'` event of a socket.
 *
 * @param {WebSocket} socket
 * @return {Promise<{code: Number, reason: String}>}
 */
function closed(socket) {
  return new Promise((resolve) => {
    socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() }))
  })
}

/**
 * Waits for the `'error'` event of a socket and then for its `'close'` event.
 *
 * @param {WebSocket} socket
 * @return {Promise<{error: Error, code: Number, reason: String}>}
 */
function failed(socket) {
  return new Promise((resolve) => {
    let error
    socket.once('error', (reported) => {
      error = reported
    })
    socket.once('close', (code, reason) => resolve({ error, code, reason: reason.toString() }))
  })
}

/**
 * Waits for a number of messages.
 *
 * @param {WebSocket} socket
 * @param {Number} [count=1]
 * @return {Promise<Array<{data: *, isBinary: Boolean}>>}
 */
function messages(socket, count = 1) {
  return new Promise((resolve) => {
    const received = []
    socket.on('message', function onMessage(data, isBinary) {
      received.push({ data, isBinary })
      if (received.length < count) return
      socket.removeListener('message', onMessage)
      resolve(received)
    })
  })
}

/**
 * Waits for one message.
 *
 * @param {WebSocket} socket
 * @return {Promise<{data: *, isBinary: Boolean}>}
 */
async function message(socket) {
  const [first] = await messages(socket, 1)
  return first
}

/**
 * Writes down the events of a socket as they come, in short words: `message:text`, `close:1000`.
 *
 * @param {WebSocket} socket
 * @return {String[]} Grows while the socket lives
 */
function record(socket) {
  const events = []
  socket.on('open', () => events.push('open'))
  socket.on('message', (data) => events.push(`message:${data}`))
  socket.on('ping', (data) => events.push(`ping:${data}`))
  socket.on('pong', (data) => events.push(`pong:${data}`))
  socket.on('error', (error) => events.push(`error:${error.code ?? error.message}`))
  socket.on('close', (code) => events.push(`close:${code}`))
  return events
}

/**
 * Calls a function that takes a callback, and waits for it.
 *
 * @param {Function} call Gets the callback
 * @return {Promise<*>} The callback's first argument
 */
function called(call) {
  return new Promise((resolve) => call(resolve))
}

/** Waits for the next turn of the event loop, with everything that was due in this one. */
function turn() {
  return new Promise((resolve) => setImmediate(resolve))
}

let usual = 60_000

/**
 * Lets `until` give up earlier while a function runs: what it waits for is not expected to come.
 *
 * @param {Number} timeout
 * @param {Function} run
 * @return {Promise<*>} What the function gives
 */
async function patience(timeout, run) {
  const before = usual
  usual = timeout
  try {
    return await run()
  } finally {
    usual = before
  }
}

/**
 * Waits until a condition holds; it is asked once per turn.
 *
 * @param {Function} condition
 * @param {String} what Said when it does not come true
 * @param {Number} [timeout=60000] Generous, since the machine may be busy
 */
async function until(condition, what, timeout = usual) {
  // Not by the clock of the wall, which may be set meanwhile.
  const deadline = performance.now() + timeout
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`did not happen in time: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}

/**
 * Lets a function provoke exceptions that nobody catches, and collects them.
 *
 * @param {Function} provoke Gets the array that collects
 * @return {Promise<Error[]>}
 */
async function uncaught(provoke) {
  const errors = []
  process.setUncaughtExceptionCaptureCallback((error) => errors.push(error))
  try {
    await provoke(errors)
  } finally {
    process.setUncaughtExceptionCaptureCallback(null)
  }
  return errors
}

module.exports = {
  called,
  closed,
  failed,
  message,
  messages,
  patience,
  record,
  turn,
  uncaught,
  until,
}
