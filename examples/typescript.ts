// Run: HYCO_CONNECTION_STRING='…' node examples/typescript.ts (Node.js 22.18 or later), or compile
// it. Types for everything come with the package.

import { createRelayedServer, type RelayedRequest, type RelayedSocket } from 'hyco-rs'

interface Greeting {
  readonly name: string
}

/** Checks what came from outside: a type is a promise that only your own code keeps. */
function readGreeting(text: string): Greeting | undefined {
  try {
    const value: unknown = JSON.parse(text)
    const name: unknown = Object(value).name
    return typeof name === 'string' ? { name } : undefined
  } catch {
    return undefined
  }
}

function greet(socket: RelayedSocket, request: RelayedRequest): void {
  console.log(`connected: ${request.url} (${request.trackingId})`)
  socket.on('message', (data) => {
    const greeting = readGreeting(data.toString())
    socket.send(JSON.stringify(greeting ? { hello: greeting.name } : { error: 'no name' }))
  })
}

const connectionString = process.env.HYCO_CONNECTION_STRING ?? ''
const server = createRelayedServer({ connectionString }, greet)
server.on('listening', () => console.log(`listening at ${server.listenUri}`))
server.on('offline', ({ error, delay }) => console.error(`${error.code}; again in ${delay} ms`))
process.once('SIGINT', () => server.close())
