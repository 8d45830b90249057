'use strict'

// Run: HYCO_CONNECTION_STRING='…' node examples/http-fastify.js
// A Fastify application behind the relay; the path of the hybrid connection is cut off.

const fastify = require('fastify')
const hyco = require('hyco-rs')

const app = fastify()
app.get('/hello/:name', (request, reply) => {
  reply.send({ hello: request.params.name, from: request.ip })
})
app.post('/echo', (request, reply) => reply.code(201).send(request.body))

async function main() {
  await app.ready()
  const { HYCO_CONNECTION_STRING: connectionString } = process.env
  const server = new hyco.RelayedServer({ connectionString, stripPath: true })
  server.attach(app.server)
  server.on('listening', () => console.log(`listening at ${server.listenUri}`))
  server.on('error', (error) => console.error(error.message))
  process.once('SIGINT', async () => {
    await server.drain({ timeout: 5_000 })
    await app.close()
  })
}

void main()
