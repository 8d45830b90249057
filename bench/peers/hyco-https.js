'use strict'

// hyco-https 1.4.5 as published, unpacked in a temporary folder with the two dependencies that it uses.

const path = require('node:path')
const fetched = require('../../__test__/support/registry')

const install = () =>
  path.join(fetched(['ws@6.2.3', 'moment@2.30.1'], { unpacked: 'hyco-https@1.4.5' }), 'hyco-https')

module.exports = {
  title: 'hyco-https 1.4.5',
  relayed: true,

  available() {
    try {
      install()
      return true
    } catch (error) {
      console.error(`hyco-https is left out: ${error.message.split('\n')[0]}`)
      return false
    }
  },

  serve(handler, relay) {
    const https = require(install())
    const { listenUrl: server, token } = relay
    const listener = https.createRelayedServer({ server, token }, handler)
    return new Promise((resolve, reject) => {
      listener.once('listening', () => resolve(relay.http))
      listener.once('error', reject)
      listener.listen()
    })
  },
}
