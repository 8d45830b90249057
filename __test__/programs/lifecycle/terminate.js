'use strict'

// Ends workers in the middle of traffic, COUNT times, in the ways that HOW names, and then by itself.

const { once } = require('node:events')
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads')
const hyco = require('hyco-rs')
const flood = require('./flood')

async function main() {
  const count = Number(process.env.COUNT)
  const secure = process.env.TLS === '1'
  const names = Array.from({ length: count }, (_, i) => `c${i}`)
  const relay = await hyco.startRelayEmulator({ tls: secure, hybridConnections: names })
  for (const name of names) {
    const listen = hyco.createRelayListenUri(relay.namespace, name)
    const send = hyco.createRelaySendUri(relay.namespace, name)
    const token = hyco.createRelayToken(send, relay.keyName, relay.key)
    const tls = secure ? { ca: relay.certificate } : undefined
    const settings = { how: process.env.HOW, listen, send, token, tls }
    const worker = new Worker(__filename, { workerData: settings })
    const exited = once(worker, 'exit')
    await once(worker, 'message')
    if (process.env.HOW === 'terminate') {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 10))
      await worker.terminate()
    }
    await exited
  }
  await relay.close()
  console.log(`ended ${count} workers`)
}

if (isMainThread) {
  main()
} else {
  flood(workerData, () => {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- this is no window
    parentPort.postMessage('traffic')
    if (workerData.how === 'exit') setTimeout(() => process.exit(0), Math.random() * 10)
  })
}
