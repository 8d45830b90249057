// Run: HYCO_CONNECTION_STRING='…' node examples/esm.mjs
// ES modules, with top-level await. It ends when the first sender has left.

import { once } from 'node:events'
import { createRelayedServer } from 'hyco-rs'

const { HYCO_CONNECTION_STRING: connectionString } = process.env
const server = createRelayedServer({ connectionString })
server.on('error', (error) => console.error(`${error.code}: ${error.message}`))

await once(server, 'listening')
console.log(`listening at ${server.listenUri}`)

const [socket, request] = await once(server, 'connection')
console.log(`connected: ${request.url}`)
socket.on('message', (data) => socket.send(`you said: ${data}`))

await once(socket, 'close')
server.close()
