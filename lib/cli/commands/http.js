'use strict'

const { createReadStream, createWriteStream, statSync } = require('node:fs')
const http = require('node:http')
const { pipeline } = require('node:stream/promises')

const { dial } = require('../dial')
const { EXIT, Failure, usageError } = require('../failure')
const { withHint } = require('../hints')
const { findProxy } = require('../proxy')
const { readHeaders } = require('../sender')
const { findTarget } = require('../target')
const { interruption } = require('../terminal')

/** Milliseconds for the head of an answer: more than the relay waits for a listener (60 s). */
const ANSWER = 75_000

/**
 * Sends an HTTP request through the relay.
 *
 * @param {Object} values
 * @param {String[]} positionals
 * @param {Terminal} terminal
 * @return {Promise<Number>} The exit code
 */
async function request(values, [suffix], terminal) {
  const target = findTarget({ ...values, suffix })
  const signal = interruption()
  const body = readBody(values.data)
  const url = new URL(target.httpUri)
  const headers = { Host: url.host, ...body.headers, ...readHeaders(values.header) }
  const token = target.createToken()
  if (token !== null) headers.ServiceBusAuthorization = token
  const method = values.request ?? (values.data === undefined ? 'GET' : 'POST')
  if (method.toUpperCase() === 'CONNECT') {
    const hint = "'hyco-rs forward' carries TCP connections through the relay."
    throw usageError('--request cannot be CONNECT, which asks a proxy for a tunnel.', hint)
  }
  const path = url.pathname + url.search
  const started = Date.now()
  let socket
  try {
    socket = await dial(target, findProxy(target.network, target.url))
    const response = await exchange(socket, { headers, method, path, signal }, body.open)
    terminal.status(`${response.statusCode} after ${Date.now() - started} ms`)
    await show(response, values, terminal)
    if (!values.fail || response.statusCode < 400) return 0
    const message = `The answer is ${response.statusCode} ${response.statusMessage}.`
    throw new Failure(message, { exit: EXIT.rejected })
  } catch (error) {
    if (signal.aborted) throw new Failure('Interrupted.', { exit: EXIT.interrupted })
    throw withHint(error, target)
  } finally {
    socket?.destroy()
  }
}

/**
 * @param {String} [data] A text, `@FILE`, or `@-` for standard input
 * @return {Object} `headers` that belong to it, and `open`, which gives a stream or a text
 */
function readBody(data) {
  if (data === undefined) return { headers: {}, open: () => undefined }
  if (!data.startsWith('@')) {
    return { headers: { 'Content-Length': Buffer.byteLength(data) }, open: () => data }
  }
  if (data === '@-') return { headers: {}, open: () => process.stdin }
  const file = data.slice(1)
  try {
    const stat = statSync(file)
    if (stat.isDirectory()) throw new Error('it is a folder')
    const headers = stat.isFile() ? { 'Content-Length': stat.size } : {}
    return { headers, open: () => createReadStream(file) }
  } catch (cause) {
    throw usageError(`The file of --data cannot be read: ${cause.message}`)
  }
}

/**
 * Sends the request over a connection and waits for the head of the answer.
 *
 * @param {net.Socket} socket It is connected, and encrypted where it has to be
 * @param {Object} options Those of `http.request`
 * @param {Function} open Gives the body: a stream, a text or nothing
 * @return {Promise<http.IncomingMessage>}
 */
async function exchange(socket, options, open) {
  let message
  try {
    message = http.request({ ...options, createConnection: () => socket })
  } catch (error) {
    throw usageError(`The request cannot be sent: ${error.message}`)
  }
  const late = () => message.destroy(new Error(`nothing came within ${ANSWER / 1000} s`))
  const timer = setTimeout(late, ANSWER)
  const answered = new Promise((resolve, reject) => {
    message.once('response', resolve)
    message.on('error', (cause) =>
      reject(new Failure(`There is no answer: ${cause.message}`, { exit: EXIT.network, cause })),
    )
  })
  const body = open()
  if (body === undefined || typeof body === 'string') message.end(body)
  // An answer may come before all of the body is taken; what fails is told by the answer.
  else pipeline(body, message).catch((error) => message.destroy(error))
  return answered.finally(() => clearTimeout(timer))
}

/**
 * Writes the answer.
 *
 * @param {http.IncomingMessage} response
 * @param {Object} values
 * @param {Terminal} terminal
 */
async function show(response, { include, output }, terminal) {
  try {
    if (terminal.json) {
      const { headers, statusCode, statusMessage } = response
      const body = Buffer.concat(await response.toArray())
      terminal.object({ statusCode, statusMessage, headers, ...content(body) })
      return
    }
    if (include) showHead(response, terminal)
    if (output === undefined) await print(response, terminal)
    else await pipeline(response, createWriteStream(output))
  } catch (cause) {
    if (cause.syscall === 'open') {
      throw usageError(`The file of --output cannot be written: ${cause.message}`)
    }
    throw new Failure(`The answer broke off: ${cause.message}`, { exit: EXIT.network, cause })
  }
}

/**
 * @param {Buffer} body
 * @return {Object} `body` if it is text, `base64` otherwise
 */
function content(body) {
  try {
    return { body: new TextDecoder('utf-8', { fatal: true }).decode(body) }
  } catch {
    return { base64: body.toString('base64') }
  }
}

/**
 * @param {http.IncomingMessage} response
 * @param {Terminal} terminal
 */
function showHead({ httpVersion, rawHeaders, statusCode, statusMessage }, terminal) {
  terminal.line(terminal.safe(`HTTP/${httpVersion} ${statusCode} ${statusMessage}`))
  for (let i = 0; i < rawHeaders.length; i += 2) {
    terminal.line(terminal.safe(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`))
  }
  terminal.line('')
}

/**
 * @param {http.IncomingMessage} response
 * @param {Terminal} terminal
 */
async function print(response, terminal) {
  for await (const chunk of response) {
    // A terminal takes some bytes as commands; a file or a program gets them as they are.
    const text = process.stdout.isTTY ? terminal.safe(String(chunk)) : chunk
    if (!process.stdout.write(text)) {
      await new Promise((resolve) => process.stdout.once('drain', resolve))
    }
  }
}

module.exports = request
