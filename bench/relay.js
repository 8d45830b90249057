'use strict'

// How much does the whole path cost the listener? Senders of the Rust program reach it through the
// local relay, keep one message under way each, and the listener echoes.

const { since, usage, warmUp } = require('./harness/measure')
const { startRelay } = require('./harness/relay')
const { transports } = require('./harness/rows')

const SIZE = 64

module.exports = {
  title: 'Relay',
  text: 'The whole path, sender – local relay – listener: one message of 64 B is under way on every socket, the measured listener echoes it.',
  baseline: 'ws-listener',
  peers: ['ws-listener', 'hyco-ws', 'hyco-rs'],
  needs: 'hyco-rs',
  quickRuns: 2,
  columns: ['rate', 'cpu', 'main', 'p50', 'p99'],
  rows: transports({ name: '100 sockets', sockets: 100, count: 60_000 }),

  async measure(peer, { sockets, count, secure }, { ca, server, group, control }) {
    const relay = await startRelay(server, secure)
    try {
      const { token, listenUrl: url } = relay
      await peer.listen(url, { ca, token }, (socket) => {
        peer.receive(socket, (data) => socket.send(data))
      })
      const senders = { group, url: relay.connectUrl, count: sockets, concurrency: 20 }
      await control.order('connect', secure ? { ...senders, ca } : senders)
      const drive = (messages) =>
        control.order('drive', { group, size: SIZE, count: messages, flight: sockets })
      await warmUp(() => drive(Math.ceil(count / 20)))
      const { usage: before } = await control.order('usage')
      const start = usage()
      const { usage: after, p50, p99 } = await drive(count)
      const figures = since(start, count)
      const other = (after - before) / 1e3 / count
      return { ...figures, p50, p99, other }
    } finally {
      await relay.stop()
    }
  },
}

if (require.main === module) require('./harness/main').run(module.filename)
