'use strict'

// Run: node examples/main.js (or npm start). A local relay, a listener and a sender in one process.

const { randomBytes } = require('node:crypto')
const { once } = require('node:events')
const hyco = require('hyco-rs')

async function main() {
  const relay = await hyco.startRelayEmulator({ hybridConnections: ['demo'] })
  console.log(`relay     listens on ${relay.namespace}`)

  const server = hyco.createRelayedServer(
    { connectionString: relay.connectionString, path: 'demo' },
    (socket, request) => {
      console.log(`listener  accepted ${request.url} from ${request.socket.remoteAddress}`)
      socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
    },
  )
  await once(server, 'listening')
  console.log(`listener  is online at ${server.listenUri}`)

  const uri = hyco.createRelaySendUri(relay.namespace, 'demo/greeting?lang=en')
  const token = hyco.createRelayToken(uri, relay.keyName, relay.key)
  const sender = hyco.relayedConnect(uri, token, { maxPayload: 0 })
  await once(sender, 'open')
  console.log('sender    is connected through the relay')

  for (const message of ['hello through the relay', randomBytes(16), randomBytes(1024 * 1024)]) {
    const start = performance.now()
    sender.send(message)
    const [data, isBinary] = await once(sender, 'message')
    const same = Buffer.from(message).equals(data) && isBinary !== (typeof message === 'string')
    const what = isBinary ? `${data.length} bytes` : `"${data}"`
    const time = (performance.now() - start).toFixed(1)
    console.log(`sender    ${same ? 'got back' : 'DID NOT GET BACK'} ${what} after ${time} ms`)
    if (!same) process.exitCode = 1
  }

  server.close(() => relay.close())
  const [code] = await once(sender, 'close')
  console.log(`sender    saw the listener close with ${code}`)
}

main()
