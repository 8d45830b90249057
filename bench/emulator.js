'use strict'

// How much does relaying cost? The local relay between a sender and a listener of the Rust program,
// against a TCP proxy that only copies.

const Control = require('./harness/control')
const { usageOf, warmUp } = require('./harness/measure')
const { start } = require('./harness/program')
const { sizes } = require('./harness/rows')

module.exports = {
  title: 'Emulator',
  text: 'One sender floods one listener. CPU is that of the relaying process: the local relay, or a TCP proxy (`tokio::io::copy_bidirectional`).',
  baseline: 'proxy',
  peers: ['proxy', 'emulator'],
  needs: 'hyco-rs',
  quickRuns: 2,
  columns: ['rate', 'cpu'],
  rows: sizes({ '64 B': 1_500_000, '16 KiB': 40_000, '1 MiB': 800 }, ['tcp']),

  async measure(peer, { size, count }, { server, group, control }) {
    const receiver = await start(server.program, [])
    const sink = new Control(receiver.control)
    const relay = await peer.start({ server, receiver, sink, group })
    try {
      await control.order('connect', { group, url: relay.connectUrl, count: 1 })
      await sink.order('wait', { group, sockets: 1 })
      const flood = async (messages) => {
        await sink.order('reset', { group, mode: 'count' })
        const all = sink.order('count', { group, count: messages })
        const used = usageOf(relay.pid)
        const started = performance.now()
        await control.order('flood', { group, size, count: messages })
        await all
        return {
          rate: (messages * 1e3) / (performance.now() - started),
          cpu: (usageOf(relay.pid) - used) / 1e3 / messages,
        }
      }
      await warmUp(() => flood(Math.ceil(count / 20)))
      return await flood(count)
    } finally {
      sink.close()
      await relay.stop()
      await receiver.stop()
    }
  },
}

if (require.main === module) require('./harness/main').run(module.filename)
