'use strict'

// What does a listener with idle sockets cost that it keeps alive? Nothing comes but the answers to its
// pings.

const { setTimeout: delay } = require('node:timers/promises')

const { since, usage } = require('./harness/measure')
const { transports } = require('./harness/rows')

/** Milliseconds of silence after which an end is pinged; the usual 30 s would take half an hour. */
const INTERVAL = 1_000

module.exports = {
  title: 'Idle',
  text: 'A listener with idle sockets, kept alive at an interval of one second: hyco-rs by its option, `ws` by the loop that its README recommends. The figures are for one socket and second.',
  baseline: 'ws-listener',
  peers: ['ws-listener', 'hyco-rs'],
  quickRuns: 1,
  columns: ['cpu', 'main'],
  rows: transports({ name: '1,000 sockets', sockets: 1_000, count: 5_000 }),

  async measure(peer, { sockets, count, secure }, { base, ca, group, control }) {
    const url = `${base}/$hc/${group}?sb-hc-action=listen`
    let open = 0
    let pinged = 0
    let done
    const all = new Promise((resolve) => (done = resolve))
    await peer.listen(url, { ca, token: 'none', keepAlive: INTERVAL }, (socket) => {
      let answered = false
      socket.on('pong', () => {
        if (!answered) pinged++
        answered = true
      })
      if (++open === sockets) done()
    })
    await control.order('accept', { group, secure, count: sockets, concurrency: 50 })
    await all
    await delay(2 * INTERVAL)
    const start = usage()
    await delay((count / sockets) * 1_000)
    const figures = since(start, count)
    if (pinged !== sockets) throw new Error(`only ${pinged} of ${sockets} sockets were pinged`)
    return figures
  },
}

if (require.main === module) require('./harness/main').run(module.filename)
