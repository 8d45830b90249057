'use strict'

// How much does a message cost that goes out? Bursts of up to 256 KiB a turn of the event loop, the
// next one as soon as the socket can take it, until the Rust program has counted all of them.

const { since, usage, warmUp } = require('./harness/measure')
const { pinned, sizes } = require('./harness/rows')

const BURST_BYTES = 256 * 1024
const BURST_MESSAGES = 256
const HIGH = 1024 * 1024

const ROWS = sizes({ '64 B': 800_000, '16 KiB': 40_000, '1 MiB': 800 })

module.exports = {
  title: 'Send',
  text: `One socket sends bursts of up to ${BURST_MESSAGES} messages or 256 KiB a turn of the event loop and waits while more than 1 MiB is buffered.`,
  baseline: 'ws',
  peers: ['ws', 'bun', 'hyco-rs'],
  columns: ['rate', 'cpu', 'main'],
  rows: [...ROWS, ...pinned(ROWS)],

  async measure(peer, { size, count }, { url, ca, group, control }) {
    const socket = await peer.connect(url, ca)
    const data = Buffer.alloc(size, 'x')
    const burst = Math.max(1, Math.min(BURST_MESSAGES, Math.floor(BURST_BYTES / size)))
    const flood = async (messages) => {
      await control.order('reset', { group, mode: 'count' })
      const all = control.order('count', { group, count: messages })
      let left = messages
      const send = () => {
        const now = Math.min(burst, left)
        left -= now
        for (let i = 1; i < now; i++) socket.send(data)
        if (left === 0) return socket.send(data)
        if (socket.bufferedAmount > HIGH) return peer.sendAndDrain(socket, data, send)
        socket.send(data)
        setImmediate(send)
      }
      send()
      await all
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
