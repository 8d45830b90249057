'use strict'

// What does a message cost on sockets that rarely speak? Every socket sends one message a second, at
// moments spread over the second; the Rust program echoes it.

const { since, usage, warmUp } = require('./harness/measure')
const { transports } = require('./harness/rows')
const { connectMany } = require('./harness/sockets')

const SIZE = 64

/** Milliseconds between two messages at first: few sockets speak at a time, as later. */
const WARM_INTERVAL = 2

module.exports = {
  title: 'Sparse',
  text: 'One message of 64 B a second on every socket, echoed by the other end.',
  baseline: 'ws',
  peers: ['ws', 'bun', 'hyco-rs'],
  columns: ['cpu', 'main'],
  rows: transports({ name: '100 sockets', sockets: 100, count: 300 }),

  async measure(peer, { sockets, count }, { url, ca, group, control }) {
    let left
    let done
    const open = await connectMany(peer, sockets, url, ca, (socket) => {
      peer.receive(socket, () => {
        if (--left === 0) done()
      })
    })
    const data = Buffer.alloc(SIZE, 'x')
    await control.order('wait', { group, sockets })
    await control.order('reset', { group, mode: 'echo' })
    const ask = (messages, interval) => {
      left = messages
      const all = new Promise((resolve) => (done = resolve))
      let sent = 0
      const timer = setInterval(() => {
        open[sent % sockets].send(data)
        if (++sent === messages) clearInterval(timer)
      }, interval)
      return all
    }
    await warmUp(() => ask(sockets * 10, WARM_INTERVAL))
    const start = usage()
    await ask(count, 1000 / sockets)
    return since(start, count)
  },
}

if (require.main === module) require('./harness/main').run(module.filename)
