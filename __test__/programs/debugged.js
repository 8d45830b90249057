'use strict'

// A listener and one sender, for what is printed about them.

const { once } = require('node:events')
const hyco = require('../..')
const ScriptedRelay = require('../support/scripted-relay')

async function main() {
  const relay = await ScriptedRelay.start()
  const server = new hyco.RelayedServer({
    server: `${relay.listenUri}&sb-hc-token=hush`,
    token: 'hush',
  })
  await once(server, 'listening')
  const connected = once(server, 'connection')
  const { socket } = await relay.announce()
  const [client] = await connected
  relay.channel.send('{"accept": "nonsense"}')
  socket.close(1000)
  await once(client, 'close')
  await server.close()
  await relay.close()
}

main()
