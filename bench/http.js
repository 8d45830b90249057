'use strict'

// What does a relayed HTTP request cost the listener, against one that comes without a relay?

const { handler } = require('./harness/http-handler')
const { since, usage, warmUp } = require('./harness/measure')
const { startRelay } = require('./harness/relay')

const MEBIBYTE = 1 << 20
const CONNECTIONS = 16
/** A request runs through far more code than a message. V8 compiles it beside the work, on threads of the
 * same process, and is at it for some thousand requests, whoever the peer is. */
const WARM_UP_TIMES = 10

module.exports = {
  title: 'HTTP',
  text: `${CONNECTIONS} kept connections over TCP, each with one request at a time; the last two rows 4, and their figures are for a MiB. CPU is that of the process that answers, which the requests reach through the local relay in a process of its own; with forward() a further process answers.`,
  baseline: 'http-server',
  peers: ['http-server', 'http-protocol', 'hyco-https', 'hyco-rs', 'hyco-rs-forward'],
  needs: 'hyco-rs',
  columns: ['rate', 'cpu', 'main', 'p50', 'p99'],
  rows: [
    { name: 'GET, small', ask: 'small', count: 20_000 },
    { name: 'POST, 1 kB of JSON', ask: 'post', size: 1_000, count: 20_000 },
    { name: 'GET, 100 kB', ask: 'large', count: 3_000, without: ['http-protocol', 'hyco-https'] },
    {
      name: 'GET, 20 MiB, per MiB',
      ask: 'download',
      count: 50,
      connections: 4,
      weight: 20,
      without: ['http-protocol', 'hyco-https'],
    },
    {
      name: 'POST, 20 MiB, per MiB',
      ask: 'upload',
      size: 20 * MEBIBYTE,
      count: 50,
      connections: 4,
      weight: 20,
      without: ['http-protocol', 'hyco-https'],
    },
  ].map((row) => ({ ...row, transport: 'tcp' })),

  async measure(peer, row, { server, control }) {
    const relay = peer.relayed ? await startRelay(server, false) : null
    const place = await peer.serve(handler, relay)
    const { ask, size = 0, count, connections = CONNECTIONS, weight = 1 } = row
    const target = `${place.path}/${ask}`
    const send = (requests) =>
      control.order('request', { host: place.host, target, size, count: requests, connections })
    try {
      await warmUp(() => send(Math.ceil(count / 20)), WARM_UP_TIMES)
      const start = usage()
      const { p50, p99 } = await send(count)
      return { ...since(start, count * weight), p50, p99 }
    } finally {
      await place.stop?.()
      await relay?.stop()
    }
  },
}

if (require.main === module) require('./harness/main').run(module.filename)
