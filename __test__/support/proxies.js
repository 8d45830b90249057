'use strict'

const { join } = require('node:path')

const fetched = require('./registry')

/**
 * Proxies that others wrote. Together they bring a hundred packages.
 *
 * @return {Object} `ProxyChain` and `SimpleSocks`, what they export
 */
function proxies() {
  const home = fetched(['proxy-chain@2.7.1', 'simple-socks@3.6.0'])
  const load = (name) => require(join(home, name))
  return { ProxyChain: load('proxy-chain'), SimpleSocks: load('simple-socks').default }
}

module.exports = proxies
