'use strict'

// How long does an answer take on a socket that has nothing else to do? One message at a time; the
// Rust program echoes it. And does it matter how many idle sockets are open beside it?

const { since, usage, warmUp } = require('./harness/measure')
const { pinned, transports } = require('./harness/rows')
const { connectMany } = require('./harness/sockets')

const SIZE = 64

const ONE = transports({ name: '1 socket', sockets: 1, count: 10_000 })

module.exports = {
  title: 'Round trip',
  text: 'One socket, one message of 64 B at a time, echoed by the other end; the other sockets of a row are idle.',
  baseline: 'ws',
  peers: ['ws', 'bun', 'hyco-rs'],
  columns: ['p50', 'p99', 'cpu', 'main'],
  rows: [
    ...ONE,
    ...[100, 1_000, 5_000].flatMap((sockets) => {
      const name = `1 of ${sockets.toLocaleString('en')} sockets`
      return transports({ name, sockets, count: 10_000, growth: true }, ['tcp'])
    }),
    ...pinned(ONE),
  ],

  async measure(peer, { sockets, count }, { url, ca, group, control }) {
    const [socket] = await connectMany(peer, sockets, url, ca, () => {})
    const data = Buffer.alloc(SIZE, 'x')
    await control.order('wait', { group, sockets })
    await control.order('reset', { group, mode: 'echo' })
    let times
    let sent
    let left
    let done
    const next = () => {
      sent = performance.now()
      socket.send(data)
    }
    peer.receive(socket, () => {
      times.push(performance.now() - sent)
      if (--left === 0) done()
      else next()
    })
    const ask = (messages) => {
      times = []
      left = messages
      const all = new Promise((resolve) => (done = resolve))
      next()
      return all
    }
    await warmUp(() => ask(count / 20))
    const start = usage()
    await ask(count)
    const figures = since(start, count)
    times.sort((a, b) => a - b)
    const at = (part) => times[Math.floor(times.length * part)] * 1e3
    return { ...figures, p50: at(0.5), p99: at(0.99) }
  },
}

if (require.main === module) require('./harness/main').run(module.filename)
