'use strict'

// How long does a quiet socket wait beside a busy one? One socket is flooded with messages of 16 KiB,
// while another one has a message echoed every few milliseconds. The echo comes from a program of its own:
// one that floods answers only when its socket is full, and the quicker a reader is, the seldomer that is.

const Control = require('./harness/control')
const { start } = require('./harness/program')
const { transports } = require('./harness/rows')

const FLOOD = 16 * 1024
const EVERY = 4

/** Messages of the flood that are ordered together. */
const ORDERED = 2_000

module.exports = {
  title: 'Quiet beside a flood',
  text: 'A message of 64 B is echoed every 4 ms by one program while another one floods a second socket with messages of 16 KiB.',
  baseline: 'ws',
  peers: ['ws', 'bun', 'hyco-rs'],
  columns: ['p50', 'p99'],
  rows: transports({ name: '1 quiet, 1 busy', count: 1_000 }),

  async measure(peer, { count, secure }, { url, ca, group, control, server }) {
    const echoing = await start(server.program, [])
    const other = new Control(echoing.control)
    const away = secure ? `wss://localhost:${echoing.tls}` : `ws://127.0.0.1:${echoing.tcp}`
    const busy = await peer.connect(url, ca)
    const quiet = await peer.connect(`${away}/${group}`, echoing.ca)
    await control.order('wait', { group, sockets: 1 })
    await other.order('wait', { group, sockets: 1 })
    await other.order('reset', { group, mode: 'echo' })
    const flood = () => control.order('flood', { group, size: FLOOD, count: ORDERED })
    let came = 0
    let over = false
    peer.receive(busy, () => {
      if (++came % ORDERED === 0 && !over) flood()
    })
    // One order is carried out while the next one waits.
    await flood()
    await flood()
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
    other.close()
    await echoing.stop()
    // Code is compiled by then.
    const measured = times.slice(count / 4).sort((a, b) => a - b)
    const at = (part) => measured[Math.floor(measured.length * part)] * 1e3
    return { p50: at(0.5), p99: at(0.99) }
  },
}

if (require.main === module) require('./harness/main').run(module.filename)
