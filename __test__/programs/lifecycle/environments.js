'use strict'

// The main thread and three workers use the package at once, through one relay; all end by themselves.

const { once } = require('node:events')
const { Worker, isMainThread, parentPort, threadId, workerData } = require('node:worker_threads')
const hyco = require('hyco-rs')

const MESSAGES = 2000

/** Listens, connects, and sees its own messages come back in order. */
async function work({ listen, send, token }) {
  const server = hyco.createRelayedServer({ server: listen, token }, (socket) => {
    socket.on('message', (data) => socket.send(data))
  })
  await once(server, 'listening')
  const sender = hyco.relayedConnect(send, token)
  await once(sender, 'open')
  for (let i = 0; i < MESSAGES; i++) sender.send(`${threadId}:${i}`)
  let next = 0
  await new Promise((resolve, reject) => {
    sender.on('message', (data) => {
      if (String(data) !== `${threadId}:${next}`) reject(new Error(`${data} came at ${next}`))
      if (++next === MESSAGES) resolve()
    })
  })
  sender.close()
  await new Promise((resolve) => server.close(resolve))
}

async function main() {
  const names = ['a', 'b', 'c', 'd']
  const relay = await hyco.startRelayEmulator({ hybridConnections: names })
  const settings = names.map((name) => {
    const send = hyco.createRelaySendUri(relay.namespace, name)
    return {
      listen: hyco.createRelayListenUri(relay.namespace, name),
      send,
      token: hyco.createRelayToken(send, relay.keyName, relay.key),
    }
  })
  const workers = settings.slice(1).map((data) => new Worker(__filename, { workerData: data }))
  const exits = workers.map((worker) => once(worker, 'exit'))
  await Promise.all([work(settings[0]), ...workers.map((worker) => once(worker, 'message'))])
  const codes = (await Promise.all(exits)).map(([code]) => code)
  await relay.close()
  console.log(`exited with ${codes}`)
}

if (isMainThread) {
  main()
} else {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- this is no window
  work(workerData).then(() => parentPort.postMessage('done'))
}
