'use strict'

const { usageError } = require('../failure')
const { explain, withHint } = require('../hints')
const { showClose, showMessage } = require('../messages')
const { findTarget } = require('../target')
const { interruption } = require('../terminal')

/** Milliseconds that senders have to close after Ctrl+C. */
const PATIENCE = 5000

/** What no second try can cure, as long as the listener has never been online. */
const FINAL = new Set([
  'HYCO_ERR_ENDPOINT_NOT_FOUND',
  'HYCO_ERR_QUOTA',
  'HYCO_ERR_TLS',
  'HYCO_ERR_UNAUTHORIZED',
])

/**
 * Listens on a hybrid connection.
 *
 * @param {Object} values
 * @param {String[]} positionals
 * @param {Terminal} terminal
 * @return {Promise<Number>} The exit code
 */
async function listen(values, positionals, terminal) {
  if (values.stripPath && values.to === undefined) {
    throw usageError('--strip-path is for --to: nothing else is given a URL.')
  }
  const service = createService(values, () => `/${target.path}`, terminal)
  const target = findTarget(values, { right: true })
  const signal = interruption()
  const { createRelayedServer } = require('../../../index')
  const { key, keyName, token } = target
  let online = false
  const server = createRelayedServer({
    server: target.listenUri,
    ...(token === undefined ? { keyName, key } : { token }),
    openTimeout: target.timeout,
    reconnect: ({ error }) => (online || !FINAL.has(error.code) ? undefined : false),
    ...target.network,
    ...service.options,
  })
  if (service.httpTarget !== undefined) passRequestsOn(server, service.httpTarget, terminal)
  server.on('online', () => {
    online = true
    const uri = server.listenUri.replace(/\?.*/, '')
    terminal.status(`listening at ${uri} (Ctrl+C ends it)`, { event: 'listening', uri })
  })
  server.on('connection', (socket, request) => serve(socket, request, service, terminal))
  server.on('acceptError', (error, request) => {
    service.abandoned?.(request)
    const { message, code } = error
    terminal.status(`a sender was not met: ${message}`, { event: 'acceptError', code, message })
  })
  // It is told by 'offline'.
  server.on('error', () => {})
  try {
    await new Promise((resolve, reject) => {
      server.on('offline', ({ delay, error, final }) => {
        if (final) reject(withHint(error, target))
        else {
          const { code, message } = explain(error, target)
          const text = `offline: ${message}; trying again in ${delay / 1000} s`
          terminal.status(text, { event: 'offline', code, message, delay })
        }
      })
      signal.addEventListener('abort', resolve)
      if (signal.aborted) resolve()
    })
  } finally {
    // One that reads no more does not answer a close frame.
    const late = setTimeout(() => server.clients.forEach((socket) => socket.terminate()), PATIENCE)
    await new Promise((resolve) => server.close(resolve))
    await service.end?.()
    clearTimeout(late)
  }
  return 0
}

/**
 * Passes HTTP requests on to a server, and tells of each.
 *
 * @param {RelayedServer} server
 * @param {String} target
 * @param {Terminal} terminal
 */
function passRequestsOn(server, target, terminal) {
  server.forward(target)
  server.on('forwarded', ({ duration, method, statusCode, url }) => {
    const text = `${method} ${url} ${statusCode} after ${Math.round(duration)} ms`
    terminal.status(text, { event: 'request', method, url, statusCode, duration })
  })
  server.on('requestError', ({ code, message }, { trackingId: id }) => {
    terminal.status(`a request failed: ${message}`, { event: 'requestError', id, code, message })
  })
}

/** Counts senders, to tell them apart on a terminal. */
let senders = 0

/**
 * @param {RelayedSocket} socket
 * @param {RelayedRequest} request
 * @param {Object} service
 * @param {Terminal} terminal
 */
function serve(socket, request, service, terminal) {
  const name = `#${++senders}`
  const id = request.trackingId
  const { remoteAddress } = request.socket
  const { url } = request
  const from = remoteAddress === undefined ? '' : ` from ${remoteAddress}`
  terminal.status(`${name} connected${from}: ${url}`, {
    event: 'connection',
    id,
    url,
    remoteAddress,
  })
  socket.on('error', (error) => {
    terminal.status(`${name} failed: ${error.message}`, { event: 'error', id, code: error.code })
  })
  socket.on('close', (code, reason) => {
    showClose(terminal, code, reason, { id, name })
  })
  service.connection(socket, request, { id, name })
}

/**
 * What is done with a sender.
 *
 * @param {Object} values
 * @param {Function} path Gives the path of the hybrid connection
 * @param {Terminal} terminal
 * @return {Object} `connection(socket, request, { id, name })`, and perhaps `options` of the server,
 *     `httpTarget`, where HTTP requests go, `abandoned(request)` for a sender that was not met, and
 *     `end()`
 */
function createService(values, path, terminal) {
  const modes = ['echo', 'exec', 'to'].filter((mode) => values[mode] !== undefined)
  if (modes.length > 1) throw usageError(`Give either --${modes[0]} or --${modes[1]}.`)
  if (values.exec !== undefined) return require('../exec').createExec(values.exec, terminal)
  if (values.to !== undefined) {
    return require('../to').createTo(values.to, values.stripPath ? path : undefined, terminal)
  }
  return {
    connection(socket, request, { id, name }) {
      const label = terminal.style('green', `${name} `)
      socket.on('message', (data, isBinary) => {
        showMessage(terminal, socket, data, isBinary, { id, label })
        if (values.echo) echo(socket, data, isBinary)
      })
    },
  }
}

/**
 * Sends a message back, and reads no more while the sender does not take it.
 *
 * @param {RelayedSocket} socket
 * @param {Buffer} data
 * @param {Boolean} isBinary
 */
function echo(socket, data, isBinary) {
  if (socket.readyState !== socket.OPEN) return
  socket.send(data, { binary: isBinary }, () => socket.resume())
  if (socket.bufferedAmount > 1024 * 1024) socket.pause()
}

module.exports = listen
