'use strict'

const { Readable } = require('node:stream')
const { pipeline } = require('node:stream/promises')

/** A `Request` with these may not have a body. */
const WITHOUT_BODY = new Set(['GET', 'HEAD'])

/** There is no `Request` with these. */
const WITHOUT_REQUEST = new Set(['CONNECT', 'TRACE', 'TRACK'])

/** What would make another URL of a host. */
const NOT_IN_HOST = /[\s/?#@\\]/

/**
 * Makes a request listener of a function that takes a `Request` and returns a `Response`.
 *
 * @param {Function} fetch Called with the `Request` and what is known of its sender
 * @param {Function} bodyFailed Called when the body of a response fails: the error, and the socket of the
 *     request
 * @return {Function} It returns a promise, which rejects with what `fetch` fails with
 */
function createFetchListener(fetch, bodyFailed) {
  return async (req, res) => {
    const gone = new AbortController()
    res.once('close', () => {
      if (!res.writableFinished) gone.abort()
    })
    const request = toRequest(req, gone.signal)
    if (typeof request === 'number') {
      // What a sender sends is no failure of the handler.
      res.writeHead(request, { 'content-type': 'text/plain; charset=utf-8' })
      res.end('The listener cannot serve this request.\n')
      return
    }
    const { socket } = req
    const { trackingId, remoteAddress, remotePort } = socket
    const response = await fetch(request, { trackingId, remoteAddress, remotePort })
    if (!(response instanceof Response)) {
      throw new TypeError("'fetch' must return a Response or a promise of one")
    }
    const body = await begin(response, req, res, gone.signal)
    if (body === null) return
    try {
      await pipeline(body, res)
    } catch (error) {
      bodyFailed(error, socket)
    }
  }
}

/** The request as the web knows it, or the status for one that it cannot know. */
function toRequest(req, signal) {
  const scheme = req.socket.encrypted ? 'https' : 'http'
  const { host } = req.headers
  // Not resolved against the host: a path that begins with two slashes would replace it.
  const path = req.url.startsWith('/') ? req.url : `/${req.url}`
  let url
  try {
    if (NOT_IN_HOST.test(host)) return 400
    url = new URL(`${scheme}://${host}${path}`)
  } catch {
    return 400
  }
  if (WITHOUT_REQUEST.has(req.method)) return 501
  const headers = new Headers()
  for (let i = 0; i < req.rawHeaders.length; i += 2) {
    headers.append(req.rawHeaders[i], req.rawHeaders[i + 1])
  }
  const init = { method: req.method, headers, signal }
  if (!WITHOUT_BODY.has(req.method)) {
    init.body = Readable.toWeb(req)
    init.duplex = 'half'
  }
  return new Request(url, init)
}

/** Writes the head of a response. Gives its body, if that is to be written. */
async function begin(response, req, res, signal) {
  const { status, statusText, body } = response
  for (const [name, value] of response.headers) {
    if (name !== 'set-cookie') res.setHeader(name, value)
  }
  const cookies = cookiesOf(response.headers)
  if (cookies.length > 0) res.setHeader('set-cookie', cookies)
  res.statusCode = status
  if (statusText !== '') res.statusMessage = statusText
  if (body === null) {
    res.end()
    return null
  }
  if (signal.aborted || req.method === 'HEAD') {
    res.end()
    await body.cancel()
    return null
  }
  // It may be in use already, of which nobody should see a response that begins.
  const readable = Readable.fromWeb(body)
  res.flushHeaders()
  return readable
}

/** The cookies that are set; Node.js 18.0 has one text for all of them. */
function cookiesOf(headers) {
  if (headers.getSetCookie !== undefined) return headers.getSetCookie()
  const cookies = headers.get('set-cookie')
  return cookies === null ? [] : [cookies]
}

module.exports = { createFetchListener }
