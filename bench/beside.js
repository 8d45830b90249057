'use strict'

// How long does a quiet socket wait beside a busy one? One socket is flooded with messages of 16 KiB,
// while another one has a message echoed every few milliseconds.

const Control = require('./harness/control')
const { transports } = require('./harness/rows')

const FLOOD = 16 * 1024
const EVERY = 4

module.exports = {
  title: 'Quiet beside a flood',
  text: 'A message of 64 B is echoed every 4 ms while messages of 16 KiB flood another socket.',
  baseline: 'ws',
  peers: ['ws', 'bun', 'hyco-rs'],
  columns: ['p50', 'p99'],
  rows: transports({ name: '1 quiet, 1 busy', count: 400 }),

  async measure(peer, { count }, { base, ca, group, control, server }) {
    const names = [`${group}-busy`, `${group}-quiet`]
    const [busy, quiet] = await Promise.all(
      names.map((name) => peer.connect(`${base}/${name}`, ca)),
    )
    for (const name of names) await control.order('wait', { group: name, sockets: 1 })
    await control.order('reset', { group: names[1], mode: 'echo' })
    peer.receive(busy, () => {})
    let over = false
    const flooding = new Control(server.control)
    const flood = async () => {
      const order = { group: names[0], size: FLOOD, count: 2_000 }
      while (!over) await flooding.order('flood', order)
      flooding.close()
    }
    const flooded = flood()
    const times = []
    const data = Buffer.alloc(64, 'x')
    await new Promise((resolve) => {
      let sent
      const next = () => {
        sent = performance.now()
        quiet.send(data)
      }
      peer.receive(quiet, () => {
        times.push(performance.now() - sent)
        if (times.length === count * 1.25) resolve()
        else setTimeout(next, EVERY)
      })
      next()
    })
    over = true
    await flooded
    // Code is compiled by then.
    const measured = times.slice(count / 4).sort((a, b) => a - b)
    const at = (part) => measured[Math.floor(measured.length * part)] * 1e3
    return { p50: at(0.5), p99: at(0.99) }
  },
}

if (require.main === module) require('./harness/main').run(module.filename)
