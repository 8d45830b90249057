'use strict'

// hyco-rs that passes requests on to a server in another process, so that none reaches JavaScript.

const path = require('node:path')

const { start } = require('../harness/program')
const { available, packages, root } = require('./hyco-rs')

module.exports = {
  title: 'hyco-rs, forward()',
  packages,
  available,
  relayed: true,

  async serve(handler, relay) {
    const { RelayedServer } = require(root)
    const script = path.join(__dirname, '..', 'harness', 'http-process.js')
    const upstream = await start(process.execPath, [script])
    const server = new RelayedServer({ server: relay.listenUrl, token: relay.token })
    server.forward(upstream.port)
    return new Promise((resolve, reject) => {
      server.once('listening', () => resolve({ ...relay.http, stop: upstream.stop }))
      server.once('error', reject)
    })
  },
}
