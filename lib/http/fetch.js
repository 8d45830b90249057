'use strict'

const { Readable } = require('node:stream')
const { pipeline } = require('node:stream/promises')

/** A `Request` with these may not have a body. */
const WITHOUT_BODY = new Set(['GET', 'HEAD'])

/**
 * Makes a request listener of a function that takes a `Request` and returns a `Response`.
 *
 * @param {Function} fetch Called with the `Request` and what is known of its sender
 * @return {Function} It returns a promise, which rejects with what `fetch` fails with
 */
function createFetchListener(fetch) {
  return async (req, res) => {
    const gone = new AbortController()
    res.once('close', () => {
      if (!res.writableFinished) gone.abort()
    })
    const { trackingId, remoteAddress, remotePort } = req.socket
    const response = await fetch(toRequest(req, gone.signal), {
      trackingId,
      remoteAddress,
      remotePort,
    })
    if (!(response instanceof Response)) {
      throw new TypeError("'fetch' must return a Response or a promise of one")
    }
    await send(response, res, gone.signal)
  }
}

/** The request as the web knows it. */
function toRequest(req, signal) {
  const scheme = req.socket.encrypted ? 'https' : 'http'
  const headers = new Headers()
  for (let i = 0; i < req.rawHeaders.length; i += 2) {
    headers.append(req.rawHeaders[i], req.rawHeaders[i + 1])
  }
  const url = new URL(req.url, `${scheme}://${req.headers.host}`)
  const init = { method: req.method, headers, signal }
  if (!WITHOUT_BODY.has(req.method)) {
    init.body = Readable.toWeb(req)
    init.duplex = 'half'
  }
  return new Request(url, init)
}

/** Writes a response; its body is cancelled when the sender leaves. */
async function send(response, res, signal) {
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
    return
  }
  if (signal.aborted) {
    await body.cancel()
    return
  }
  res.flushHeaders()
  try {
    await pipeline(Readable.fromWeb(body), res)
  } catch (error) {
    // A sender that left is no failure of the handler.
    if (!signal.aborted) throw error
  }
}

/** The cookies that are set; Node.js 18.0 has one text for all of them. */
function cookiesOf(headers) {
  if (headers.getSetCookie !== undefined) return headers.getSetCookie()
  const cookies = headers.get('set-cookie')
  return cookies === null ? [] : [cookies]
}

module.exports = { createFetchListener }
