'use strict'

// Sockets that are closed and no longer used are collected, and so is what they received.

const { once } = require('node:events')
const hyco = require('hyco-rs')

const COUNT = 200

async function main() {
  const relay = await hyco.startRelayEmulator()
  const uri = hyco.createRelaySendUri(relay.namespace, 'hyco')
  const token = hyco.createRelayToken(uri, relay.keyName, relay.key)
  let collected = 0
  const registry = new FinalizationRegistry(() => collected++)
  const server = hyco.createRelayedServer(
    { server: hyco.createRelayListenUri(relay.namespace, 'hyco'), token },
    (socket) => {
      registry.register(socket)
      socket.on('message', (data) => socket.send(data))
    },
  )
  await once(server, 'listening')
  const round = async () => {
    const sender = hyco.relayedConnect(uri, token)
    registry.register(sender)
    await once(sender, 'open')
    sender.send(Buffer.alloc(100_000))
    const [data] = await once(sender, 'message')
    registry.register(data)
    sender.close()
    await once(sender, 'close')
  }
  for (let i = 0; i < COUNT; i++) await round()
  const isEnough = () => collected >= 3 * COUNT - 10
  for (let i = 0; i < 50 && !isEnough(); i++) {
    globalThis.gc()
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  console.log(`collected ${collected} of ${3 * COUNT}`)
  process.exitCode = isEnough() ? 0 : 1
  server.close(() => relay.close())
}

main()
