'use strict'

// The local relay of hyco-rs, in front of a listener in this process.

const { handler } = require('../harness/http-handler')
const { startRelay } = require('../harness/relay')
const hyco = require('./hyco-rs')

module.exports = {
  title: 'local relay of hyco-rs',
  packages: hyco.packages,
  available: hyco.available,

  async start(server) {
    const relay = await startRelay(server, false)
    return { ...relay, ...(await hyco.serve(handler, relay)) }
  },
}
