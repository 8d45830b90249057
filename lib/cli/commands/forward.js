'use strict'

const net = require('node:net')

const { Failure, usageError } = require('../failure')
const { withHint } = require('../hints')
const { showClose } = require('../messages')
const { readHeaders, startSender } = require('../sender')
const { findTarget } = require('../target')
const { interruption } = require('../terminal')
const { TCP_PROTOCOL, joinTcp } = require('../tunnel')

/** What to do if the port cannot be had, where another one would not help. */
const HINTS = {
  EADDRNOTAVAIL: 'Name an address of this machine, or leave it out.',
  ENOTFOUND: 'Name an address of this machine, or leave it out.',
}

/**
 * Makes a local TCP port lead through the relay.
 *
 * @param {Object} values
 * @param {String[]} positionals
 * @param {Terminal} terminal
 * @return {Promise<Number>} The exit code
 */
async function forward(values, [place], terminal) {
  const { host, port } = readPlace(place)
  const target = findTarget(values)
  const options = { headers: readHeaders(values.header), protocols: [TCP_PROTOCOL] }
  const signal = interruption()
  const open = new Set()
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }, (tcp) => {
    open.add(tcp)
    tcp.once('close', () => open.delete(tcp))
    join(tcp, target, options, terminal)
  })
  await listen(server, host, port)
  const { address, port: taken } = server.address()
  terminal.status(`${address}:${taken} leads to ${target.name} (Ctrl+C ends it)`, {
    event: 'listening',
    address,
    port: taken,
  })
  await new Promise((resolve) => {
    signal.addEventListener('abort', resolve)
    if (signal.aborted) resolve()
  })
  for (const tcp of open) tcp.destroy()
  await new Promise((resolve) => server.close(resolve))
  return 0
}

/** Counts connections, to tell them apart on a terminal. */
let connections = 0

/**
 * @param {net.Socket} tcp
 * @param {Target} target
 * @param {Object} options Those of `relayedConnect`
 * @param {Terminal} terminal
 */
function join(tcp, target, options, terminal) {
  const name = `#${++connections}`
  const id = connections
  const socket = startSender(target, options)
  const started = Date.now()
  socket.once('open', () => {
    const ms = Date.now() - started
    terminal.status(`${name} connected after ${ms} ms`, { event: 'connection', id, ms })
    joinTcp(socket, tcp)
  })
  socket.once('error', (error) => {
    const { code, hint, message } = withHint(error, target)
    const text = hint === undefined ? message : `${message}. ${hint}`
    terminal.status(`${name} failed: ${text}`, { event: 'error', id, code, message })
    tcp.resetAndDestroy()
  })
  socket.once('close', (code, reason) => {
    showClose(terminal, code, reason, { id, name })
  })
  tcp.once('close', () => {
    if (socket.readyState === socket.CONNECTING) socket.terminate()
  })
  tcp.on('error', () => {})
}

/**
 * @param {net.Server} server
 * @param {String} host
 * @param {Number} port
 * @return {Promise<void>}
 */
function listen(server, host, port) {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      reject(
        new Failure(`The port cannot be listened on: ${cause.message}`, {
          hint: HINTS[cause.code] ?? 'Choose another port; 0 takes a free one.',
          cause,
        }),
      )
    })
    server.listen(port, host, resolve)
  })
}

/**
 * @param {String} text `PORT` or `HOST:PORT`
 * @return {Object} `host` and `port`
 */
function readPlace(text) {
  const found = /^(?:(\[[^\]]+\]|[^:]+):)?(\d{1,5})$/.exec(text)
  const port = Number(found?.[2])
  if (found === null || port > 65_535) {
    throw usageError(`'${text}' is no port.`, 'Write PORT or HOST:PORT, as 2222 or 0.0.0.0:2222.')
  }
  return { host: (found[1] ?? '127.0.0.1').replace(/^\[|\]$/g, ''), port }
}

module.exports = forward
