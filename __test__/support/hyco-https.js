'use strict'

const { execFileSync } = require('node:child_process')
const { join } = require('node:path')

const fetched = require('./registry')

/**
 * The package that `hyco-rs/https` replaces. Its other dependencies are modules of Node.
 *
 * It changes `node:https` when it is loaded, so only its helpers are given, out of a process of its own.
 *
 * @return {Object} Its helpers
 */
function hycoHttps() {
  const names = [
    'createRelayHttpsUri',
    'createRelaySendUri',
    'createRelayListenUri',
    'createRelayToken',
  ]
  const call = (name, args) => {
    const program = `console.log(require(process.argv[1])[${JSON.stringify(name)}](...JSON.parse(process.argv[2])))`
    const given = [home(), JSON.stringify(args)]
    return execFileSync(process.execPath, ['-e', program, ...given], { encoding: 'utf8' }).trimEnd()
  }
  return Object.fromEntries(names.map((name) => [name, (...args) => call(name, args)]))
}

/** @return {String} Where the package is */
function home() {
  const folder = fetched(['ws@6.2.3', 'moment@2.30.1'], { unpacked: 'hyco-https@1.4.5' })
  return join(folder, 'hyco-https')
}

module.exports = Object.assign(hycoHttps, { home })
