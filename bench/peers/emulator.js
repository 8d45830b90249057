'use strict'

// The local relay of hyco-rs.

const { startRelay } = require('../harness/relay')
const { available, packages } = require('./hyco-rs')

module.exports = {
  title: 'local relay of hyco-rs',
  packages,
  available,

  async start({ server, sink, group }) {
    const relay = await startRelay(server, false)
    const url = `${relay.listenUrl}&sb-hc-token=${encodeURIComponent(relay.token)}`
    await sink.order('listen', { group, url })
    return relay
  },
}
