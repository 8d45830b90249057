'use strict'

// Prints what `jest --detectOpenHandles` would name: asynchronous resources that are alive and do not say
// that they keep nothing.

const { createHook } = require('node:async_hooks')

const IGNORED = new Set([
  'ELDHISTOGRAM',
  'PROMISE',
  'PerformanceObserver',
  'RANDOMBYTESREQUEST',
  'TIMERWRAP',
  'TickObject',
])
const open = new Map()

// The pipes of the output are made at their first use, and are the program's.
process.stdout.write('')
process.stderr.write('')

createHook({
  init(id, type, _trigger, resource) {
    if (!IGNORED.has(type)) open.set(id, { type, resource })
  },
  destroy: (id) => open.delete(id),
}).enable()

/** The resources that are open now, by their types. */
function names() {
  return [...open.values()]
    .filter(({ resource }) => !('hasRef' in resource) || resource.hasRef())
    .map(({ type }) => type)
}

const hyco = require('../..')

async function main() {
  const relay = await hyco.startRelayEmulator()
  const { connectionString } = relay
  const server = hyco.createRelayedServer({ connectionString, path: 'hyco' }, (socket) => {
    socket.on('message', (data) => socket.send(data))
  })
  await new Promise((resolve) => server.once('listening', resolve))
  const socket = hyco.relayedConnect(null, { connectionString, path: 'hyco' })
  await new Promise((resolve) => socket.once('open', resolve))
  socket.send('hello')
  await new Promise((resolve) => socket.once('message', resolve))
  console.log(`while open: ${names().includes('hyco-rs')}`)
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.close()
  await closed
  await server.close()
  await relay.close()
  // What has just ended is destroyed in the next turns.
  await new Promise((resolve) => setTimeout(resolve, 100))
  // The timer is this one. CustomGC is made by the napi crate when the addon is loaded; it is no part of
  // this package, and its resource cannot be given a word to say.
  const left = names().filter((type) => type !== 'Timeout' && type !== 'CustomGC')
  console.log(`left open: [${left.join(' ')}]`)
}

main()
