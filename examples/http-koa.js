'use strict'

// Run: HYCO_CONNECTION_STRING='…' node examples/http-koa.js
// A Koa application behind the relay.

const Koa = require('koa')
const hyco = require('hyco-rs')

const app = new Koa()
app.use(async (context, next) => {
  const started = performance.now()
  await next()
  context.set('X-Response-Time', `${Math.round(performance.now() - started)} ms`)
})
app.use(async (context) => {
  context.body = { path: context.path, from: context.req.socket.remoteAddress }
})

const { HYCO_CONNECTION_STRING: connectionString } = process.env
const server = new hyco.RelayedServer({ connectionString, stripPath: true })
server.on('request', app.callback())
server.on('listening', () => console.log(`listening at ${server.listenUri}`))
server.on('error', (error) => console.error(error.message))
process.once('SIGINT', () => server.close())
