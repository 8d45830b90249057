'use strict'

const { invalidOption } = require('../errors')
const { parseUrl } = require('../parse-url')

/** The schemes of proxies that can be used. */
const SCHEME = /^(https?|socks5?h?):$/

/**
 * The proxy on the way to the relay: what the option says, else what the environment says now.
 *
 * @param {(String|URL|Boolean|null|undefined)} proxy A URL; `false` for none, whatever the environment
 *     says
 * @param {URL} url Where the relay is
 * @return {(Object|undefined)} `url`, and `noProxy`, the hosts that are dialled directly
 * @throws {TypeError} naming the option or the variable
 */
function proxySpec(proxy, url) {
  if (proxy === false) return undefined
  if (proxy !== undefined && proxy !== null) {
    const text = proxy instanceof URL ? proxy.href : proxy
    return { url: checked('proxy', text), noProxy: '' }
  }
  const names = url.protocol === 'wss:' ? ['HTTPS_PROXY', 'ALL_PROXY'] : ['ALL_PROXY']
  for (const name of names) {
    const value = variable(name)
    if (value !== undefined) {
      const text = value.includes('://') ? value : `http://${value}`
      return { url: checked(name, text), noProxy: variable('NO_PROXY') ?? '' }
    }
  }
  return undefined
}

/**
 * Whether TLS is spoken on the way: with the relay, or with a proxy.
 *
 * @param {URL} url Where the relay is
 * @param {Object} [proxy] As `proxySpec` gives it
 * @return {Boolean}
 */
function needsTls(url, proxy) {
  return url.protocol === 'wss:' || (proxy !== undefined && /^https:/i.test(proxy.url))
}

/**
 * @param {String} name Where it was found
 * @param {*} text
 * @return {String} The text, now known to be the URL of a proxy
 */
function checked(name, text) {
  const url = typeof text === 'string' ? parseUrl(text) : null
  if (url !== null) {
    const { hostname, port, protocol } = url
    if (SCHEME.test(protocol) && hostname !== '' && port !== '0') return text
  }
  throw invalidOption(
    name,
    "must be the URL of a proxy, such as 'http://host:port', 'https://host:port' or " +
      "'socks5://host:port', or false for none",
  )
}

/**
 * @param {String} name
 * @return {(String|undefined)} The variable's value, in lower case first as curl has it
 */
function variable(name) {
  return process.env[name.toLowerCase()] || process.env[name] || undefined
}

module.exports = { needsTls, proxySpec }
