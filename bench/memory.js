'use strict'

// How much memory does an idle socket hold?

const { resident } = require('./harness/measure')
const { transports } = require('./harness/rows')
const { connectMany } = require('./harness/sockets')

const FIRST = 20

module.exports = {
  title: 'Memory',
  text: 'Growth of the resident memory over idle sockets, after collecting garbage. The first 20 sockets, which load code, are not counted.',
  baseline: 'ws',
  peers: ['ws', 'bun', 'hyco-rs'],
  quickRuns: 1,
  columns: ['bytes'],
  rows: [
    ...transports({ name: '2,000 sockets', sockets: 2_000 }),
    ...transports({ name: '5,000 sockets', sockets: 5_000, growth: true }, ['tcp']),
  ],

  async measure(peer, { sockets }, { url, ca, group, control }) {
    const listen = (socket) => peer.receive(socket, () => {})
    const kept = [await connectMany(peer, FIRST, url, ca, listen)]
    const before = await resident()
    kept.push(await connectMany(peer, sockets, url, ca, listen))
    await control.order('wait', { group, sockets: sockets + FIRST })
    const after = await resident()
    if (kept.flat().length !== sockets + FIRST) throw new Error('a socket was lost')
    return { bytes: (after - before) / sockets }
  },
}

if (require.main === module) require('./harness/main').run(module.filename)
