'use strict'

const { Checkup } = require('../doctor/checkup')
const { checkNetwork } = require('../doctor/network')
const { checkRelay } = require('../doctor/relay')
const { checkToken } = require('../doctor/token')
const { EXIT, Failure, usageError } = require('../failure')
const { findTarget } = require('../target')
const { interruption } = require('../terminal')

/** Milliseconds for one step, if `--timeout` says nothing: somebody waits for the result. */
const STEP = 15_000

/**
 * Checks the whole way to a listener and back.
 *
 * @param {Object} values
 * @param {String[]} positionals
 * @param {Terminal} terminal
 * @return {Promise<Number>} The exit code: that of the first check which failed
 */
async function doctor(values, [connectionString], terminal) {
  if (connectionString !== undefined && values.connectionString !== undefined) {
    throw usageError('The connection string is given twice.')
  }
  const given = { timeout: STEP, ...values }
  if (connectionString !== undefined) given.connectionString = connectionString
  const signal = interruption()
  const checkup = new Checkup(terminal)
  const stopped = new Promise((_, reject) => {
    const stop = () => reject(new Failure('Interrupted.', { exit: EXIT.interrupted }))
    signal.addEventListener('abort', stop)
  })
  await Promise.race([examine(checkup, given), stopped])
  return checkup.finish()
}

/**
 * @param {Checkup} checkup
 * @param {Object} values
 */
async function examine(checkup, values) {
  let target
  await checkup.run('configuration', () => {
    target = findTarget(values)
    const right = target.token === undefined ? `rule '${target.keyName}'` : 'a token'
    return `${target.name}, ${target.hasRight ? right : 'no key and no token'}; from ${target.from}`
  })
  if (target === undefined) return
  const reached = await checkNetwork(checkup, target)
  checkToken(checkup, target)
  if (reached) await checkRelay(checkup, target, values.roundTrip ?? 'auto')
}

module.exports = doctor
