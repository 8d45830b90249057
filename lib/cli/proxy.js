'use strict'

const { usageError } = require('./failure')

/**
 * The proxy on the way to the relay: what `--proxy` says, else what the environment says.
 *
 * @param {Object} values The options of the command
 * @param {URL} url Where the relay is
 * @return {Object} `proxy`, a URL or `undefined`, and `from`, where it was found
 */
function findProxy({ proxy }, url) {
  if (proxy !== undefined) return { proxy: readProxy(proxy, '--proxy'), from: '--proxy' }
  const [exceptions = ''] = variable('NO_PROXY')
  if (isException(url.hostname, exceptions)) return {}
  for (const name of url.protocol === 'wss:' ? ['HTTPS_PROXY', 'ALL_PROXY'] : ['ALL_PROXY']) {
    const [value, from] = variable(name)
    if (value !== undefined) return { proxy: readProxy(value, from), from }
  }
  return {}
}

/**
 * @param {String} text
 * @param {String} from Where it was found
 * @return {URL}
 */
function readProxy(text, from) {
  const address = text.includes('://') ? text : `http://${text}`
  try {
    const url = new URL(address)
    if (url.hostname !== '') return url
  } catch {
    // Told below: the text may hold a password.
  }
  throw usageError(`The proxy of ${from} is no address.`, 'Write it as http://HOST:PORT.')
}

/**
 * @param {String} name
 * @return {String[]} Value and name of the variable, in lower case too
 */
function variable(name) {
  for (const form of [name.toLowerCase(), name]) {
    const value = process.env[form]
    if (value !== undefined && value !== '') return [value, form]
  }
  return []
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
