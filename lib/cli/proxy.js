'use strict'

const { isExcepted } = require('../native')
const { proxySpec } = require('../options/proxy')
const { portOf } = require('./dial')
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
  if (spec === undefined || isExcepted(spec.noProxy, url.hostname, portOf(url))) return undefined
  return new URL(spec.url)
}

module.exports = { findProxy }
