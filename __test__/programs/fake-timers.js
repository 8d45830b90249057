'use strict'

// Goes on under fake timers: `node fake-timers.js KIND ADDRESS TOKEN`, where the listener at the
// address sends each message back as often as its number says. Says "went on" in the end.

const { once } = require('node:events')
const { mock } = require('node:test')

const [kind, address, token] = process.argv.slice(2)

/** More than one delivery can hold, so that the rest of it is left to a later turn of the loop. */
const FLOOD = 20_000

/** What fake timers replace, and where they find it. */
const FAKED = [
  [globalThis, ['clearTimeout', 'queueMicrotask', 'setImmediate', 'setInterval', 'setTimeout']],
  [require('node:timers'), ['clearTimeout', 'setImmediate', 'setInterval', 'setTimeout']],
  [process, ['nextTick', 'hrtime']],
  [performance, ['now']],
  [Date, ['now']],
]

/** Replaces all of it with functions that lose what they are given. */
function loseEverything(clock) {
  for (const [owner, names] of FAKED) {
    for (const name of names) {
      const fake = () => 0
      if (clock) fake.clock = { [`_${name}`]: owner[name] }
      Object.defineProperty(owner, name, { value: fake, configurable: true, writable: true })
    }
  }
}

const install = {
  setImmediate: () => mock.timers.enable({ apis: ['setImmediate'] }),
  mock: () => mock.timers.enable(),
  all: () => loseEverything(false),
  before: () => loseEverything(true),
}[kind]

if (kind === 'before') install()
const hyco = require('../..')
if (kind !== 'before') install()

/** Talks to the listener, with all that waits for a turn, a tick or a timer. */
async function talk(options, count) {
  const socket = hyco.relayedConnect(address, async () => token, options)
  await once(socket, 'open')
  const received = new Promise((resolve) => {
    let left = count
    socket.on('message', () => {
      if (--left === 0) resolve()
    })
  })
  await new Promise((resolve) => socket.send(String(count), resolve))
  await received
  socket.pause()
  socket.send(new Blob(['1']))
  socket.resume()
  await once(socket, 'message')
  const closed = once(socket, 'close')
  socket.close(1000)
  await closed
}

talk({}, FLOOD)
  .then(() => talk({ allowSynchronousEvents: false }, 50))
  .then(() => process.stdout.write('went on\n'))
