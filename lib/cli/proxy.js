'use strict'

const { proxySpec } = require('../options/proxy')
const { usageError } = require('./failure')

/**
 * The proxy on the way to the relay: what `--proxy` says, else what the environment says.
 *
 * @param {Object} network The options of servers and sockets, with `proxy` where it was given
 * @param {URL} url Where the relay is
 * @return {(URL|undefined)}
 * @throws {Failure} that does not show the address: it may hold a password
 */
function findProxy({ proxy }, url) {
  let spec
  try {
    spec = proxySpec(proxy, url)
  } catch (cause) {
    throw usageError(
      `The proxy is no address: ${cause.message}.`,
      'Write it as http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT.',
    )
  }
  if (spec === undefined || isException(url.hostname, spec.noProxy)) return undefined
  return new URL(spec.url)
}

/**
 * @param {String} host
 * @param {String} exceptions The value of NO_PROXY
 * @return {Boolean}
 */
function isException(host, exceptions) {
  return exceptions
    .split(/[\s,]+/)
    .filter((name) => name !== '')
    .some((name) => {
      const suffix = name.replace(/^\*?\.?/, '').replace(/:\d+$/, '')
      return name === '*' || host === suffix || host.endsWith(`.${suffix}`)
    })
}

module.exports = { findProxy }
