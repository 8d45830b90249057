'use strict'

/**
 * The timers and clocks that sockets and servers need, taken when the package is loaded. Fake timers
 * of a test (`mock.timers` of node:test, Jest, Vitest) replace the globals later, and must not stop
 * the data plane of the process: `ws` goes on beside them, too.
 */

const { performance } = require('node:perf_hooks')
const timers = require('node:timers')

/**
 * @param {Object} owner
 * @param {String} name
 * @return {Function} The genuine function. Fake timers that were in place before the package was
 *     loaded, as Jest can be told to have them, know the one they stand for (`@sinonjs/fake-timers`)
 */
function genuine(owner, name) {
  const found = owner[name]
  return found.clock?.[`_${name}`] ?? found
}

// The module first: a test environment may have a global object of its own, with fakes in it.
const clearTimeout = genuine(timers, 'clearTimeout')
const setImmediate = genuine(timers, 'setImmediate')
const setTimeout = genuine(timers, 'setTimeout')
const queueMicrotask = genuine(globalThis, 'queueMicrotask')
const nextTick = genuine(process, 'nextTick').bind(process)
const now = genuine(performance, 'now').bind(performance)

module.exports = { clearTimeout, nextTick, now, queueMicrotask, setImmediate, setTimeout }
