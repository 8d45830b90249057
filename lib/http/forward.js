'use strict'

const { invalidArgument, invalidOption } = require('../errors')
const { tlsSpecWhere } = require('../options/tls')

/** Milliseconds for a connection to the server. */
const CONNECT_TIMEOUT = 10_000

/**
 * Reads where requests are to be passed on to.
 *
 * @param {(Number|String|URL)} target A port of this machine, `host:port`, or `http(s)://host:port`
 * @param {Object} [options] `host` and `tls`
 * @return {Object} See `ForwardSpec` in native/binding.d.ts
 * @throws {TypeError} naming the argument that cannot be used
 */
function forwardTarget(target, options) {
  if (options !== undefined && typeof options !== 'object') {
    throw invalidArgument('options', 'must be an object')
  }
  const { host, tls } = options ?? {}
  if (host !== undefined && (typeof host !== 'string' || !/^[\w.:[\]-]+$/.test(host))) {
    throw invalidOption('host', 'must be a host name, with or without a port')
  }
  const url = parse(target)
  const secure = url.protocol === 'https:'
  return {
    target: url.origin,
    host,
    tls: tlsSpecWhere(tls, secure),
    connectTimeout: CONNECT_TIMEOUT,
  }
}

function parse(target) {
  if (typeof target !== 'number' && typeof target !== 'string' && !(target instanceof URL)) {
    throw invalidTarget()
  }
  const text = typeof target === 'number' ? `localhost:${target}` : String(target)
  const isPort = /^\d+$/.test(text)
  try {
    const url = new URL(text.includes('://') ? text : `http://${isPort ? 'localhost:' : ''}${text}`)
    const isPlain =
      url.pathname === '/' && url.search === '' && url.hash === '' && url.username === ''
    if (/^https?:$/.test(url.protocol) && isPlain && url.port !== '0') return url
  } catch {
    // Said below.
  }
  throw invalidTarget()
}

function invalidTarget() {
  return invalidArgument(
    'target',
    "must be a port, 'host:port' or the URL of a server without a path",
  )
}

module.exports = { forwardTarget }
