'use strict'

// How much does it cost a listener to accept a sender? The Rust program plays the relay: it announces
// senders on the control channel and waits for their rendezvous.

const { monitorEventLoopDelay } = require('node:perf_hooks')

const { since, usage, warmUp } = require('./harness/measure')
const { transports } = require('./harness/rows')

/** Senders of each round of the warm-up. */
const WARM_UP = 500
/** Milliseconds between two looks at the event loop. */
const INTERVAL = 1

module.exports = {
  title: 'Accept',
  text: 'A listener accepts senders, each with a rendezvous of its own. Loop p99: how late a 1 ms timer of the listener comes.',
  baseline: 'ws-listener',
  peers: ['ws-listener', 'hyco-ws', 'hyco-rs'],
  quickRuns: 2,
  columns: ['rate', 'cpu', 'main', 'blocked'],
  rows: [
    ...transports({ name: '50 at a time', count: 2_000, concurrency: 50 }),
    ...transports({ name: '1,000 at once', senders: 1_000, concurrency: 1_000 }),
  ],

  async measure(peer, { count, senders, concurrency, secure }, { base, ca, group, control }) {
    const wanted = senders ?? count
    const sockets = []
    let target
    let done
    const url = `${base}/$hc/${group}?sb-hc-action=listen`
    await peer.listen(url, { ca, token: 'none' }, (socket) => {
      if (sockets.push(socket) === target) done()
    })
    const accept = async (messages) => {
      target = sockets.length + messages
      const all = new Promise((resolve) => (done = resolve))
      await control.order('accept', { group, secure, count: messages, concurrency })
      await all
    }
    await warmUp(async () => {
      await accept(WARM_UP)
      await control.order('close', { group })
    })
    const delay = monitorEventLoopDelay({ resolution: INTERVAL })
    const { usage: before } = await control.order('usage')
    delay.enable()
    const start = usage()
    await accept(wanted)
    const figures = since(start, wanted)
    delay.disable()
    const { usage: after } = await control.order('usage')
    // The histogram holds the whole interval of its timer.
    const late = (nanoseconds) => Math.max(0, nanoseconds / 1e3 - INTERVAL * 1e3)
    const blocked = late(delay.percentile(99))
    return { ...figures, blocked, worst: late(delay.max), other: (after - before) / 1e3 / wanted }
  },
}

if (require.main === module) require('./harness/main').run(module.filename)
