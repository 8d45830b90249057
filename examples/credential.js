'use strict'

// Run: HYCO_CONNECTION_STRING='…' node examples/credential.js
// A credential instead of a key. With Microsoft Entra ID it is one line:
//   const credential = new (require('@azure/identity').DefaultAzureCredential)()
// This one has the same shape, and gets its tokens from elsewhere: here from a function, in your
// program perhaps from a service that keeps the key.

const hyco = require('hyco-rs')

const { HYCO_CONNECTION_STRING: connectionString } = process.env

/** Stands for the service that keeps the key. */
async function askForToken(uri) {
  const part = (name) => new RegExp(`${name}=([^;]+)`).exec(connectionString)[1]
  return hyco.createRelayToken(uri, part('SharedAccessKeyName'), part('SharedAccessKey'), 600)
}

const credential = {
  async getToken(scope) {
    console.log(`a token for ${scope}`)
    const token = await askForToken(server.listenUri)
    return { token, expiresOnTimestamp: Date.now() + 600_000 }
  },
}

// The connection string needs no key for this: Endpoint=sb://…;EntityPath=… is enough.
const server = hyco.createRelayedServer({ connectionString, token: credential }, (socket) =>
  socket.on('message', (data) => socket.send(`you said: ${data}`)),
)
server.on('listening', () => console.log(`listening at ${server.listenUri}`))
server.on('error', (error) => console.error(`${error.code}: ${error.message}`))

process.once('SIGINT', () => server.close())
