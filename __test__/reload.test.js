'use strict'

// A package that is loaded again, as test runners and servers that watch files do it, has a hub and an
// I/O thread of its own, and so has that of a worker. They must end.

const assert = require('node:assert/strict')
const { once } = require('node:events')
const fs = require('node:fs')
const { createRequire } = require('node:module')
const path = require('node:path')
const { test } = require('node:test')
const { setTimeout: delay } = require('node:timers/promises')
const v8 = require('node:v8')
const vm = require('node:vm')
const { Worker } = require('node:worker_threads')
const { WebSocketServer } = require('ws')

require('./support/environment')

const TIMEOUT = { timeout: 180_000 }

const root = path.join(__dirname, '..')
const OWN = ['index.js', 'lib', 'native', 'package.json'].map((name) => path.join(root, name))

v8.setFlagsFromString('--expose-gc')
const collect = vm.runInNewContext('gc')

/** Loads the package anew; nothing refers to it afterwards but what it returns. */
function load() {
  const fresh = createRequire(path.join(root, 'somebody.js'))
  const copy = { package: fresh('./index.js'), hub: fresh('./lib/hub/hub.js').current() }
  for (const name of Object.keys(require.cache)) {
    if (OWN.some((own) => name.startsWith(own))) delete require.cache[name]
  }
  return copy
}

/** A server that answers each message with the same. */
async function serve(t) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  t.after(() => {
    for (const peer of server.clients) peer.terminate()
    server.close()
  })
  server.on('connection', (peer) => peer.on('message', (data) => peer.send(data)))
  await once(server, 'listening')
  return { server, address: `ws://127.0.0.1:${server.address().port}` }
}

/** The I/O threads of this process, where the system tells. */
function ioThreads() {
  if (process.platform !== 'linux') return NaN
  const tasks = '/proc/self/task'
  const names = fs.readdirSync(tasks).map((id) => {
    try {
      return fs.readFileSync(`${tasks}/${id}/comm`, 'utf8')
    } catch {
      return '' // it has just ended
    }
  })
  return names.filter((name) => name.startsWith('hyco-io')).length
}

/** The descriptors of this process, where the system tells. */
function descriptors() {
  return process.platform === 'linux' ? fs.readdirSync('/proc/self/fd').length : NaN
}

/** Collects garbage until `done`. */
async function collectUntil(done, what) {
  const end = performance.now() + 40_000
  while (performance.now() < end) {
    collect()
    await delay(10)
    if (done()) return
    // A weak reference that was asked keeps what it refers to until the next turn.
    await delay(1)
  }
  assert.fail(`${what} are still there`)
}

/** Loads the package and uses it; what is left of it can only be asked whether it is still there. */
async function useAndForget(address) {
  const { package: hyco, hub } = load()
  const socket = hyco.relayedConnect(address)
  await once(socket, 'open')
  socket.send('hello')
  const [data] = await once(socket, 'message')
  assert.equal(String(data), 'hello')
  socket.close()
  await once(socket, 'close')
  return new WeakRef(hub)
}

test('a package that was loaded again leaves no thread behind', TIMEOUT, async (t) => {
  const { address } = await serve(t)
  const hubs = []
  for (let i = 0; i < 5; i++) hubs.push(await useAndForget(address))
  await collectUntil(() => hubs.every((hub) => hub.deref() === undefined), 'hubs')
  await collectUntil(() => !(ioThreads() > 0), 'their threads')
})

test('a package that was loaded again still serves what is open', TIMEOUT, async (t) => {
  const { server, address } = await serve(t)
  const asked = once(server, 'connection')
  const hub = await (async () => {
    const { package: hyco, hub } = load()
    const socket = hyco.relayedConnect(address)
    socket.on('message', (data) => socket.send(`heard ${data}`))
    await once(socket, 'open')
    return new WeakRef(hub)
  })()
  const [peer] = await asked
  peer.removeAllListeners('message')
  for (let round = 0; round < 5; round++) {
    collect()
    await delay(1)
    const answer = once(peer, 'message')
    peer.send('a question')
    const [data] = await answer
    assert.equal(String(data), 'heard a question')
  }
  peer.close()
  await collectUntil(() => hub.deref() === undefined, 'what was closed')
})

test('a worker that used the package leaves nothing behind', TIMEOUT, async (t) => {
  const { address } = await serve(t)
  const use = async ({ root, address }) => {
    const { once } = require('node:events')
    const { parentPort } = require('node:worker_threads')
    const socket = require(root).relayedConnect(address)
    await once(socket, 'open')
    parentPort.postMessage('open')
    // Terminated here, or ended with its last socket.
    await once(parentPort, 'message')
    socket.close()
    parentPort.unref()
  }
  const work = async (end) => {
    const code = `(${use})(${JSON.stringify({ root, address })})`
    const worker = new Worker(code, { eval: true })
    const exited = once(worker, 'exit')
    await once(worker, 'message')
    await end(worker)
    await exited
  }
  // The first one may leave what the process keeps for all.
  await work((worker) => worker.terminate())
  const before = descriptors()
  for (let i = 0; i < 3; i++) {
    await work((worker) => worker.terminate())
    await work((worker) => worker.postMessage('end'))
  }
  await collectUntil(() => !(ioThreads() > 0), 'I/O threads')
  await collectUntil(() => !(descriptors() > before), 'descriptors')
})
