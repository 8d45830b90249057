'use strict'

// hyco-rs: direct through `relayedConnect`, relayed through `RelayedServer`.

const fs = require('node:fs')
const http = require('node:http')
const path = require('node:path')

const { receive, sendAndDrain } = require('./ws')

// Another build can be measured by naming its folder.
const root = process.env.HYCO_RS_ROOT ?? path.join(__dirname, '..', '..')

module.exports = {
  root,
  title: 'hyco-rs',
  packages: ['hyco-rs'],

  available() {
    const native = path.join(root, 'native')
    return (
      fs.existsSync(path.join(root, 'index.js')) &&
      fs.readdirSync(native).some((name) => name.endsWith('.node'))
    )
  },

  connect(url, ca) {
    const { relayedConnect } = require(root)
    return new Promise((resolve, reject) => {
      const socket = relayedConnect(url, null, { tls: { ca } }, resolve)
      socket.once('error', reject)
    })
  },

  listen(url, { ca, token, keepAlive }, opened) {
    const { RelayedServer } = require(root)
    const server = new RelayedServer({
      server: url,
      token,
      tls: { ca },
      keepAliveInterval: keepAlive,
    })
    server.on('connection', opened)
    return new Promise((resolve, reject) => {
      server.once('listening', () => resolve(server))
      server.once('error', reject)
    })
  },

  relayed: true,

  serve(handler, relay) {
    const { RelayedServer } = require(root)
    const httpServer = http.createServer(handler)
    const server = new RelayedServer({ server: relay.listenUrl, token: relay.token, httpServer })
    return new Promise((resolve, reject) => {
      server.once('listening', () => resolve(relay.http))
      server.once('error', reject)
    })
  },

  receive,
  sendAndDrain,
}
