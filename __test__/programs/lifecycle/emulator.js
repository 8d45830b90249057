'use strict'

// Starts a relay, which keeps the process alive until it is closed.

const { startRelayEmulator } = require('hyco-rs')

startRelayEmulator().then((relay) => {
  console.log('started')
  process.stdin.once('data', () => {
    process.stdin.destroy()
    relay.close().then(() => console.log('closed'))
  })
})
