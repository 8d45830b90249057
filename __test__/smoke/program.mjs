// A relay, a listener and a sender in one environment, which ends by itself when they are closed. In a
// worker thread it reports to its parent, else to the terminal.

import { parentPort } from 'node:worker_threads'
import hyco from '../../index.mjs'

const relay = await hyco.startRelayEmulator()
const { namespace, keyName, key } = relay
const server = hyco.createRelayedServer(
  { server: hyco.createRelayListenUri(namespace, 'hyco'), keyName, key },
  (socket) => socket.on('message', (data) => socket.send(`said ${data}`)),
)
await new Promise((resolve) => server.once('listening', resolve))
const address = hyco.createRelaySendUri(namespace, 'hyco')
const socket = hyco.relayedConnect(address, hyco.createRelayToken(address, keyName, key))
const answer = await new Promise((resolve, reject) => {
  socket.on('error', reject)
  socket.on('open', () => socket.send('hello'))
  socket.on('message', (data) => resolve(String(data)))
})
if (parentPort) parentPort.postMessage(answer)
else console.log(answer)
await new Promise((resolve) => server.close(resolve))
await relay.close()
