// Run: HYCO_CONNECTION_STRING='…' node examples/http-hono.mjs
// A Hono application behind the relay: `fetch` is all that it needs.

import { Hono } from 'hono'
import { RelayedServer } from 'hyco-rs'

const app = new Hono()
app.get('/hello/:name', (context) => context.json({ hello: context.req.param('name') }))
app.post('/upper', async (context) => context.text((await context.req.text()).toUpperCase()))

const server = new RelayedServer({
  connectionString: process.env.HYCO_CONNECTION_STRING,
  stripPath: true,
  fetch: (request) => app.fetch(request),
})
server.on('listening', () => console.log(`listening at ${server.listenUri}`))
server.on('error', (error) => console.error(error.message))
process.once('SIGINT', () => server.close())
