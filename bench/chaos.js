'use strict'

// Does every relayed HTTP request get its own answer, once, while connections are cut? Requests of all
// kinds go to a listener behind a TCP proxy that breaks connections at random: some, or all of them.
// `node --expose-gc chaos.js [--minutes=10]`; ends with 1 when an answer was lost, doubled or mixed up,
// when a request failed beside which nothing was cut, or when memory does not come back.

const { fork } = require('node:child_process')
const net = require('node:net')
const path = require('node:path')
const { parseArgs } = require('node:util')

const { startRelayEmulator, createRelayListenUri, createRelayToken } = require(
  require('./peers/hyco-rs').root,
)
const { ask } = require('./chaos/sender')

const MEBIBYTE = 2 ** 20
/** Resident memory breathes by so much, and so do the buffers of the runtime. */
const BREATH = 48 * MEBIBYTE
/** A cut explains a failure that is under way, or begins while the listener comes back. */
const AFTERMATH = 15_000
const WARM_UP = 15_000
const RESPONSE_TIMEOUT = 15_000
/** No number comes twice: the listener counts how often it is asked for each. */
const SECOND_HALF = 1 << 23

/** A proxy whose connections can be broken. */
async function breakable(port) {
  const sockets = new Set()
  const server = net.createServer((near) => {
    const far = net.connect(port, '127.0.0.1')
    for (const [one, other] of [
      [near, far],
      [far, near],
    ]) {
      sockets.add(one)
      one.setNoDelay()
      one.on('error', () => {})
      one.on('close', () => {
        sockets.delete(one)
        other.destroy()
      })
      one.pipe(other)
    }
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: server.address().port,
    cut(share) {
      for (const socket of sockets) {
        if (Math.random() >= share) continue
        if (Math.random() < 0.5) socket.resetAndDestroy()
        else socket.destroy()
      }
    },
    close: () => server.close(),
  }
}

async function chaos() {
  const { values } = parseArgs({ options: { minutes: { type: 'string', default: '10' } } })
  const relay = await startRelayEmulator({
    hybridConnections: [{ path: 'chaos', requiresClientAuthorization: false }],
    port: 0,
    responseTimeout: RESPONSE_TIMEOUT,
  })
  const proxy = await breakable(Number(new URL(relay.namespace).port))
  const through = `ws://127.0.0.1:${proxy.port}`
  const listener = fork(
    path.join(__dirname, 'chaos', 'listener.js'),
    [
      JSON.stringify({
        listenUrl: createRelayListenUri(through, 'chaos'),
        token: createRelayToken(`${through}/chaos`, relay.keyName, relay.key),
      }),
    ],
    { execArgv: ['--expose-gc'] },
  )
  const say = (type) =>
    new Promise((resolve) => {
      listener.once('message', resolve)
      if (type) listener.send({ type })
    })
  await say()
  const place = { host: new URL(relay.namespace).host, path: '/chaos' }

  const calm = await ask(place, after(WARM_UP), 1)
  const before = await say('state')
  const cuts = []
  let timer = null
  const cut = () => {
    // Mostly one of many; now and then everything, the control channel with it.
    proxy.cut(Math.random() < 0.3 ? 1 : 0.1)
    cuts.push(Date.now())
    timer = setTimeout(cut, 500 + Math.random() * 5_000)
  }
  cut()
  const minutes = Number(values.minutes)
  const rough = await ask(place, after(minutes * 60_000), SECOND_HALF)
  clearTimeout(timer)
  await new Promise((resolve) => setTimeout(resolve, RESPONSE_TIMEOUT))
  const later = await say('state')
  listener.send({ type: 'stop' })
  await new Promise((resolve) => listener.once('exit', resolve))
  proxy.close()
  await relay.close()
  report({ calm, rough, before, later, cuts })
}

/** Tells whether so many milliseconds have passed. */
function after(milliseconds) {
  const end = Date.now() + milliseconds
  return () => Date.now() >= end
}

function report({ calm, rough, before, later, cuts }) {
  const isExplained = ({ started, ended }) =>
    cuts.some((at) => at <= ended && at >= started - AFTERMATH)
  const unexplained = [...calm.broken, ...rough.broken.filter((one) => !isExplained(one))]
  const wrong = [...calm.failures, ...rough.failures]
  console.log(
    `${calm.answered + rough.answered} answered, ${calm.left + rough.left} left by their senders, ` +
      `${rough.broken.length} broken by ${cuts.length} cuts, ${later.reconnects} reconnects`,
  )
  console.log(
    `lost or mixed: ${wrong.length}; doubled: ${later.doubled}; failed without a cut: ${unexplained.length}`,
  )
  for (const one of [...wrong, ...unexplained].slice(0, 10)) console.log(' ', JSON.stringify(one))
  const grown = later.rss - before.rss
  console.log(
    `listener: ${mebibytes(before.rss)} resident before, ${mebibytes(later.rss)} after; ` +
      `heap ${mebibytes(before.heap)}, ${mebibytes(later.heap)}; ${later.activeRequests} requests still open`,
  )
  const good =
    wrong.length + unexplained.length + later.doubled + later.activeRequests === 0 &&
    grown <= BREATH
  console.log(good ? 'passed' : 'FAILED')
  process.exitCode = good ? 0 : 1
}

function mebibytes(bytes) {
  return `${Math.round(bytes / MEBIBYTE)} MiB`
}

chaos().catch((error) => {
  console.error(error.stack)
  process.exit(1)
})
