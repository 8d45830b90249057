'use strict'

/**
 * The timers and clocks that sockets and servers need, taken when the package is loaded. Fake timers
 * of a test (`mock.timers` of node:test, Jest, Vitest) replace the globals later, and must not stop
 * the data plane of the process: `ws` goes on beside them, too.
 */

const timers = require('node:timers')

// The module first: a test environment may have a global object of its own, with fakes in it.
const { clearTimeout, setImmediate, setTimeout } = timers

const { queueMicrotask } = globalThis

const nextTick = process.nextTick.bind(process)

const now = performance.now.bind(performance)

module.exports = { clearTimeout, nextTick, now, queueMicrotask, setImmediate, setTimeout }
