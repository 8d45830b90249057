'use strict'

const { invalidOption } = require('../errors')
const { MAX_DELAY } = require('./checks')
const { warnOfUnknown } = require('./unknown')

/** What a schedule consists of. */
const MEMBERS = new Set(['delays', 'jitter'])

/**
 * Milliseconds before each try after a failure, the last one repeated: the schedule of Microsoft's
 * own clients (docs/protocol.md, 3.7), with a step for a relay that is back at once.
 */
const DELAYS = [0, 150, 1_000, 2_000, 5_000, 10_000, 30_000]

/** Up to this share of a delay is added at random, so that listeners do not return in step. */
const JITTER = 0.2

/**
 * Reads the option `reconnect`.
 *
 * @param {(Boolean|Object|Function|null)} option `true`: the usual schedule. `false`: never.
 *     An object: `delays` (milliseconds) and `jitter` (0 to 1) of your own. A function: asked before
 *     every try
 * @return {Object} `spec` for the hub, and `decide`, the function, if one was given
 * @throws {TypeError}
 */
function reconnectPolicy(option) {
  if (option === true || option === null) {
    return { spec: { delays: DELAYS, jitter: JITTER, policy: 'schedule' } }
  }
  if (option === false) return { spec: { delays: DELAYS, jitter: JITTER, policy: 'never' } }
  if (typeof option === 'function') {
    return { spec: { delays: DELAYS, jitter: JITTER, policy: 'ask' }, decide: option }
  }
  if (typeof option !== 'object' || Array.isArray(option)) {
    throw invalidOption('reconnect', 'must be a boolean, an object or a function')
  }
  warnOfUnknown('reconnect', option, MEMBERS)
  const { delays = DELAYS, jitter = JITTER } = option
  if (!Array.isArray(delays) || delays.length === 0 || !delays.every(isDelay)) {
    throw invalidOption('reconnect.delays', 'must be a non-empty array of milliseconds')
  }
  if (typeof jitter !== 'number' || !(jitter >= 0 && jitter <= 1)) {
    throw invalidOption('reconnect.jitter', 'must be a number from 0 to 1')
  }
  return { spec: { delays: [...delays], jitter, policy: 'schedule' } }
}

/**
 * What a function given as `reconnect` decided.
 *
 * @param {*} answer `false` to stop, milliseconds to wait; anything else keeps to the schedule
 * @param {Number} scheduled Milliseconds the schedule would wait
 * @return {Number} Milliseconds to wait, -1 to stop
 */
function reconnectDelay(answer, scheduled) {
  if (answer === false) return -1
  return isDelay(answer) ? answer : scheduled
}

/**
 * @param {*} value
 * @return {Boolean}
 */
function isDelay(value) {
  return typeof value === 'number' && value >= 0 && value <= MAX_DELAY
}

module.exports = { reconnectDelay, reconnectPolicy }
