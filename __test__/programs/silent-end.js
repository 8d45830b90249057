'use strict'

// A listener that loses its relay for good, in a program that listens for nothing.

const hyco = require('../..')
const ScriptedRelay = require('../support/scripted-relay')

ScriptedRelay.start().then((relay) => {
  const server = new hyco.RelayedServer({
    server: relay.listenUri,
    token: 'any',
    reconnect: false,
  })
  server.once('listening', () => relay.close())
})
