'use strict'

// How much does a message cost that comes in? The Rust program floods one socket; every message is
// looked at for its length.

const { since, usage, warmUp } = require('./harness/measure')
const { pinned, sizes } = require('./harness/rows')

const ROWS = sizes({ '64 B': 2_500_000, '16 KiB': 50_000, '1 MiB': 800 })

module.exports = {
  title: 'Receive',
  text: 'One socket is flooded; each message is looked at for its length.',
  baseline: 'ws',
  peers: ['ws', 'bun', 'hyco-rs'],
  columns: ['rate', 'cpu', 'main'],
  rows: [...ROWS, ...pinned(ROWS)],

  async measure(peer, { size, count }, { url, ca, group, control }) {
    const socket = await peer.connect(url, ca)
    let target = 0
    let received = 0
    let bytes = 0
    let done
    peer.receive(socket, (data) => {
      bytes += data.length
      if (++received === target) done()
    })
    const flood = async (messages) => {
      received = bytes = 0
      target = messages
      const all = new Promise((resolve) => (done = resolve))
      await control.order('flood', { group, size, count: messages })
      await all
      if (bytes !== messages * size) throw new Error(`${bytes} bytes came`)
    }
    await control.order('wait', { group, sockets: 1 })
    await warmUp(() => flood(Math.ceil(count / 20)))
    const { usage: before } = await control.order('usage')
    const start = usage()
    await flood(count)
    const figures = since(start, count)
    const { usage: after } = await control.order('usage')
    return { ...figures, other: (after - before) / 1e3 / count }
  },
}

if (require.main === module) require('./harness/main').run(module.filename)
