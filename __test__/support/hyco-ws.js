'use strict'

const { join } = require('node:path')

const fetched = require('./registry')

/**
 * The package that this one replaces. It cannot be installed by name, since one of its dependencies has
 * no version in the registry.
 *
 * @return {Object} What `require('hyco-ws')` gives
 */
function hycoWs() {
  const home = fetched(['ws@1.1.5', 'moment@2.30.1'], { unpacked: 'hyco-ws@1.0.5' })
  return require(join(home, 'hyco-ws'))
}

module.exports = hycoWs
