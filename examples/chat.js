'use strict'

// Run: node examples/chat.js. Three senders chat; the listener passes on what each says.

const { once } = require('node:events')
const hyco = require('hyco-rs')

async function main() {
  const relay = await hyco.startRelayEmulator({ hybridConnections: ['chat'] })
  const server = hyco.createRelayedServer(
    {
      connectionString: relay.connectionString,
      path: 'chat',
      // Who has no name is refused; the sender sees the status and the reason.
      verifyClient: ({ req }, decide) =>
        decide(Boolean(req.headers['x-name']), 403, 'Who are you?'),
    },
    (socket, request) => {
      const name = request.headers['x-name']
      socket.on('message', (data) => {
        for (const client of server.clients) if (client !== socket) client.send(`${name}: ${data}`)
      })
    },
  )
  await once(server, 'listening')

  const uri = hyco.createRelaySendUri(relay.namespace, 'chat')
  const token = hyco.createRelayToken(uri, relay.keyName, relay.key)
  const [error] = await once(hyco.relayedConnect(uri, token), 'error')
  console.log(`a stranger is refused: ${error.statusCode} ${error.reason}`)

  const join = (name) => hyco.relayedConnect(uri, token, { headers: { 'X-Name': name } })
  const people = ['ada', 'grace', 'linus'].map(join)
  await Promise.all(people.map((person) => once(person, 'open')))
  people[0].send('good morning')
  const heard = await Promise.all(people.slice(1).map((person) => once(person, 'message')))
  for (const [data] of heard) console.log(`heard: ${data}`)
  server.close(() => relay.close())
}

main()
