'use strict'

// What does an open event stream hold in the process that sends it?

const { handler } = require('./harness/http-handler')
const { resident } = require('./harness/measure')
const { startRelay } = require('./harness/relay')

module.exports = {
  title: 'Event streams',
  text: 'Growth of resident memory per open `text/event-stream`, after a collection; the streams are silent after their first event.',
  baseline: 'http-server',
  peers: ['http-server', 'hyco-rs', 'hyco-rs-forward'],
  needs: 'hyco-rs',
  columns: ['bytes'],
  rows: [{ name: '900 streams', streams: 900, transport: 'tcp' }],

  async measure(peer, { streams }, { server, control }) {
    const relay = peer.relayed ? await startRelay(server, false) : null
    const { host, path, stop } = await peer.serve(handler, relay)
    const open = (connections) =>
      control.order('open', { host, target: `${path}/events`, connections })
    try {
      await open(streams / 10)
      const before = await resident()
      await open(streams)
      return { bytes: ((await resident()) - before) / streams }
    } finally {
      await stop?.()
      await relay?.stop()
    }
  },
}

if (require.main === module) require('./harness/main').run(module.filename)
