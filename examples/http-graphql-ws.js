'use strict'

// Run: HYCO_CONNECTION_STRING='…' node examples/http-graphql-ws.js
// GraphQL behind the relay: queries by HTTP, subscriptions by WebSocket, at one listener.

const http = require('node:http')
const { buildSchema, graphql } = require('graphql')
const { useServer } = require('graphql-ws/use/ws')
const hyco = require('hyco-rs')
const { text } = require('node:stream/consumers')

const schema = buildSchema(
  'type Query { hello: String } type Subscription { count(to: Int!): Int }',
)
const roots = {
  query: { hello: 'world' },
  subscription: {
    async *count({ to }) {
      for (let count = 1; count <= to; count++) yield { count }
    },
  },
}

const app = http.createServer(async (request, response) => {
  const { query } = JSON.parse(await text(request))
  const result = await graphql({ schema, source: query, rootValue: roots.query })
  response.setHeader('content-type', 'application/json').end(JSON.stringify(result))
})
const sockets = new hyco.WebSocketServer({ server: app })
useServer({ schema, roots }, sockets)

const { HYCO_CONNECTION_STRING: connectionString } = process.env
const server = new hyco.RelayedServer({ connectionString, httpServer: app })
server.on('listening', () => console.log(`listening at ${server.listenUri}`))
server.on('error', (error) => console.error(error.message))
process.once('SIGINT', () => server.close())
