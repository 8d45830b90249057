'use strict'

// What does relaying HTTP requests cost? The local relay in front of a listener, against a plain HTTP
// proxy in Rust (hyper) in front of an http.Server.

const { usageOf, warmUp } = require('./harness/measure')

const CONNECTIONS = 16

module.exports = {
  title: 'HTTP through the local relay',
  text: `${CONNECTIONS} kept connections, each with one small GET at a time. CPU is that of the relaying process: the local relay, or a reverse proxy on hyper.`,
  baseline: 'http-proxy',
  peers: ['http-proxy', 'http-emulator'],
  needs: 'hyco-rs',
  columns: ['rate', 'cpu', 'p50', 'p99'],
  rows: [{ name: 'GET, small', count: 20_000, transport: 'tcp' }],

  async measure(peer, { count }, { server, control }) {
    const place = await peer.start(server)
    const send = (requests) => {
      const { host, path } = place
      const target = `${path}/small`
      return control.order('request', { host, target, count: requests, connections: CONNECTIONS })
    }
    try {
      await warmUp(() => send(Math.ceil(count / 20)))
      const used = usageOf(place.pid)
      const started = performance.now()
      const { p50, p99 } = await send(count)
      return {
        rate: (count * 1e3) / (performance.now() - started),
        cpu: (usageOf(place.pid) - used) / 1e3 / count,
        p50,
        p99,
      }
    } finally {
      await place.stop()
    }
  },
}

if (require.main === module) require('./harness/main').run(module.filename)
