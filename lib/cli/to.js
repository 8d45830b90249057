'use strict'

const net = require('node:net')
const WebSocket = require('ws')

const { usageError } = require('./failure')
const { TCP_PROTOCOL, joinTcp } = require('./tunnel')

/** Milliseconds for the server to take a connection. */
const UPSTREAM_TIMEOUT = 15_000

/** Bytes that wait for one side before the other is not read any more. */
const HIGH_WATER = 1024 * 1024

/** Headers that belong to one connection, or to the handshake that is made anew. */
const OWN_HEADERS =
  /^(?:connection|host|keep-alive|proxy-.*|sec-websocket-.*|te|trailer|transfer-encoding|upgrade)$/

/** Close codes that cannot be sent on. */
const UNSENDABLE = new Set([1005, 1006, 1015])

/**
 * Passes senders on to a server. Each is accepted when the server has taken its connection, and
 * refused with the server's status otherwise. HTTP requests are passed on by the package itself.
 *
 * @param {String} text The target as it was typed
 * @param {(Function|undefined)} prefix Gives what is cut off the URLs that the server sees
 * @param {Terminal} terminal
 * @return {Object} A service of `listen`
 */
function createTo(text, prefix, terminal) {
  const target = readTarget(text)
  /** The connections to the server of those who are being accepted. */
  const upstreams = new Map()
  const isTcp = (request) =>
    target.kind === 'tcp' || (target.kind === 'any' && offers(request, TCP_PROTOCOL))
  return {
    httpTarget: target.httpTarget,
    options: {
      stripPath: prefix !== undefined,
      verifyClient: ({ req: request }, decide) => {
        const dial = isTcp(request)
          ? dialTcp(target)
          : dialWebSocket(target, request, prefix?.() ?? '')
        dial.then(
          (upstream) => {
            upstreams.set(request.trackingId, upstream)
            decide(true)
          },
          ({ message, status = 502 }) => {
            const { trackingId: id, url } = request
            const refusal = `${url} is refused with ${status}: ${target.host}:${target.port} ${message}`
            terminal.status(refusal, { event: 'refused', id, url, status, message })
            decide(false, status, status === 502 ? 'The server cannot be reached' : undefined)
          },
        )
      },
      handleProtocols: (offered, request) => {
        const { protocol } = upstreams.get(request.trackingId) ?? {}
        if (protocol !== undefined) return protocol
        return offered.has(TCP_PROTOCOL) ? TCP_PROTOCOL : false
      },
    },
    connection(socket, request) {
      const upstream = upstreams.get(request.trackingId)
      upstreams.delete(request.trackingId)
      if (upstream instanceof net.Socket) joinTcp(socket, upstream)
      else joinWebSockets(socket, upstream)
    },
    abandoned(request) {
      const upstream = upstreams.get(request?.trackingId)
      upstreams.delete(request?.trackingId)
      if (upstream instanceof net.Socket) upstream.destroy()
      else upstream?.terminate()
    },
  }
}

/**
 * @param {String} text `PORT`, `HOST:PORT`, or one of them behind a scheme
 * @return {Object} `kind` ('any', 'tcp' or 'web'), `scheme` of WebSockets, `host`, `port`, and
 *     `httpTarget`, where HTTP requests go
 */
function readTarget(text) {
  const found = /^(?:(tcp|wss?|https?):\/\/)?(?:(\[[^\]]+\]|[^:/]+):)?(\d{1,5})\/?$/i.exec(text)
  const port = Number(found?.[3])
  if (found === null || port < 1 || port > 65_535) {
    throw usageError(
      `--to cannot lead to '${text}'.`,
      'Write PORT, HOST:PORT, tcp://HOST:PORT, http://HOST:PORT or https://HOST:PORT.',
    )
  }
  const scheme = found[1]?.toLowerCase()
  const host = found[2] ?? '127.0.0.1'
  if (scheme === 'tcp') return { kind: 'tcp', host, port }
  const secure = scheme === 'https' || scheme === 'wss'
  return {
    kind: scheme === undefined ? 'any' : 'web',
    scheme: secure ? 'wss' : 'ws',
    host,
    port,
    httpTarget: `${secure ? 'https' : 'http'}://${host}:${port}`,
  }
}

/**
 * @param {RelayedRequest} request
 * @param {String} protocol
 * @return {Boolean} Whether the sender offers it
 */
function offers(request, protocol) {
  const offered = request.headers['sec-websocket-protocol'] ?? ''
  return offered.split(',').some((name) => name.trim() === protocol)
}

/**
 * @param {Object} target
 * @return {Promise<net.Socket>} Connected, and not reading yet
 */
function dialTcp({ host, port }) {
  return new Promise((resolve, reject) => {
    const tcp = net.connect({ allowHalfOpen: true, host: host.replace(/^\[|\]$/g, ''), port })
    tcp.setTimeout(UPSTREAM_TIMEOUT, () => tcp.destroy(new Error('does not answer')))
    tcp.on('error', ({ code, message }) => reject(new Error(code ?? message)))
    tcp.once('connect', () => {
      tcp.setTimeout(0)
      tcp.pause()
      resolve(tcp)
    })
  })
}

/**
 * @param {Object} target
 * @param {RelayedRequest} request
 * @param {String} prefix
 * @return {Promise<WebSocket>} Open, and not reading yet
 */
function dialWebSocket({ host, port, scheme }, request, prefix) {
  const headers = {}
  for (const [name, value] of Object.entries(request.headers)) {
    if (!OWN_HEADERS.test(name)) headers[name] = value
  }
  if (prefix !== '') headers['x-forwarded-prefix'] = prefix
  const { remoteAddress } = request.socket
  if (remoteAddress !== undefined) headers['x-forwarded-for'] = remoteAddress
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',')
  const protocols = offered.map((name) => name.trim()).filter((name) => name !== '')
  return new Promise((resolve, reject) => {
    const url = withoutPrefix(request.url, prefix)
    const upstream = new WebSocket(`${scheme}://${host}:${port}${url}`, protocols, {
      handshakeTimeout: UPSTREAM_TIMEOUT,
      headers,
    })
    upstream.once('unexpected-response', (_, response) => {
      reject(Object.assign(new Error('refuses it'), { status: response.statusCode }))
      upstream.terminate()
    })
    upstream.on('error', ({ code, message }) => reject(new Error(code ?? message)))
    upstream.once('open', () => {
      upstream.pause()
      resolve(upstream)
    })
  })
}

/**
 * @param {String} url
 * @param {String} prefix
 * @return {String} What follows the prefix, as the package cuts it for HTTP requests
 */
function withoutPrefix(url, prefix) {
  const rest = url.slice(prefix.length)
  if (url.slice(0, prefix.length).toLowerCase() !== prefix.toLowerCase()) return url
  return rest.startsWith('/') ? rest : `/${rest}`
}

/**
 * Passes messages and the end on, both ways.
 *
 * @param {RelayedSocket} socket
 * @param {WebSocket} upstream
 */
function joinWebSockets(socket, upstream) {
  passOn(socket, upstream)
  passOn(upstream, socket)
  if (upstream.readyState === upstream.CLOSED) socket.terminate()
  upstream.resume()
}

/**
 * @param {WebSocket} from
 * @param {WebSocket} to
 */
function passOn(from, to) {
  from.on('message', (data, isBinary) => {
    if (to.readyState !== to.OPEN) return
    to.send(data, { binary: isBinary }, () => from.resume())
    if (to.bufferedAmount > HIGH_WATER) from.pause()
  })
  from.on('close', (code, reason) => {
    if (code === 1006) to.terminate()
    else if (UNSENDABLE.has(code)) to.close()
    else to.close(code, reason)
  })
}

module.exports = { createTo }
