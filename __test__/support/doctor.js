'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')

const Cli = require('./cli')

/**
 * Runs the doctor. The secrets of the tests may be nowhere in what it says.
 *
 * @param {String[]} args
 * @param {Object} [options] As for `Cli.run`
 * @return {Promise<Object>} `code`, the exit code, and `checks`, by their names
 */
async function examine(args, options) {
  const { code, stdout, stderr } = await Cli.run(['doctor', '--json', ...args], options)
  assert.doesNotMatch(stdout + stderr, /a-secret|s3cret/)
  assert.equal(stderr, '')
  const { ok, exitCode, checks } = JSON.parse(stdout)
  assert.equal(exitCode, code)
  assert.equal(ok, code === 0)
  return { code, checks: Object.fromEntries(checks.map((check) => [check.name, check])) }
}

/**
 * @param {Object} checks As `examine` gives them
 * @return {String} What the check says that failed first
 */
function failure(checks) {
  const { name, detail, hint } = Object.values(checks).find(({ status }) => status === 'failed')
  assert.ok(hint?.length > 10, `${name} says what to do`)
  return `${name}: ${detail} ${hint}`
}

/**
 * Lets a server listen.
 *
 * @param {net.Server} server
 * @param {Function[]} ending Gets what ends it
 * @return {Promise<Number>} Its port
 */
async function serve(server, ending) {
  const open = new Set()
  for (const event of ['connection', 'secureConnection']) {
    server.on(event, (socket) => open.add(socket.on('error', () => {})))
  }
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  ending.push(() => {
    for (const socket of open) socket.destroy()
    return new Promise((resolve) => server.close(resolve))
  })
  return server.address().port
}

module.exports = { examine, failure, serve }
