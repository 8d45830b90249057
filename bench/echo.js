'use strict'

// How much does an echo cost when many sockets are open? The Rust program keeps one message under
// way on every socket; the measured process sends each one back as it is.

const { since, usage, warmUp } = require('./harness/measure')
const { pinned, transports } = require('./harness/rows')
const { connectMany } = require('./harness/sockets')

const SIZE = 64

const HUNDRED = transports({ name: '100 sockets', sockets: 100, count: 100_000 })
const TWO = transports({ name: '2 sockets', sockets: 2, count: 30_000, growth: true })
const EIGHT = transports({ name: '8 sockets', sockets: 8, count: 100_000, growth: true })

module.exports = {
  title: 'Echo',
  text: 'One message of 64 B is under way on every socket; the measured process sends it back.',
  baseline: 'ws',
  peers: ['ws', 'bun', 'hyco-rs'],
  columns: ['rate', 'cpu', 'main'],
  rows: [
    ...HUNDRED,
    ...transports({ name: '1 socket', sockets: 1, count: 20_000, growth: true }, ['tcp']),
    ...TWO,
    ...transports({ name: '4 sockets', sockets: 4, count: 50_000, growth: true }),
    ...EIGHT,
    ...transports({ name: '16 sockets', sockets: 16, count: 100_000, growth: true }),
    ...transports({ name: '1,000 sockets', sockets: 1_000, count: 100_000, growth: true }, ['tcp']),
    ...transports({ name: '5,000 sockets', sockets: 5_000, count: 100_000, growth: true }, ['tcp']),
    ...pinned([...HUNDRED, ...TWO, ...EIGHT]),
  ],

  async measure(peer, { sockets, count }, { url, ca, group, control }) {
    await connectMany(peer, sockets, url, ca, (socket) => {
      peer.receive(socket, (data) => socket.send(data))
    })
    await control.order('wait', { group, sockets })
    const drive = (messages) =>
      control.order('drive', { group, size: SIZE, count: messages, flight: sockets })
    await warmUp(() => drive(Math.ceil(count / 20)))
    const { usage: before } = await control.order('usage')
    const start = usage()
    const { usage: after, p50, p99 } = await drive(count)
    const figures = since(start, count)
    return {
      ...figures,
      p50,
      p99,
      other: (after - before) / 1e3 / count,
    }
  },
}

if (require.main === module) require('./harness/main').run(module.filename)
