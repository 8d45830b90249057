'use strict'

// The listener of the chaos run. It counts how often it is asked for each id, and says what it holds.

const http = require('node:http')

const { RelayedServer } = require(require('../peers/hyco-rs').root)

const { KINDS } = require('./requests')
const { listenUrl, token } = JSON.parse(process.argv[2])

const seen = new Uint8Array(1 << 24)
let doubled = 0

const httpServer = http.createServer((req, res) => {
  const [kind, id] = req.url.split('/').slice(-2)
  const number = Number(id)
  if (seen[number]++ > 0) doubled++
  res.setHeader('x-id', id)
  req.on('error', () => {})
  res.on('error', () => {})
  KINDS[kind].serve(req, res, number)
})
const server = new RelayedServer({ server: listenUrl, token, httpServer })
server.on('error', () => {})
server.once('listening', () => process.send({ type: 'ready' }))

process.on('message', async ({ type }) => {
  if (type === 'stop') {
    await server.close()
    process.disconnect()
    return
  }
  for (let i = 0; i < 5; i++) {
    globalThis.gc()
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  const { rss, heapUsed, external } = process.memoryUsage()
  const { activeRequests, requests, reconnects } = server.metrics()
  process.send({
    type: 'state',
    rss,
    heap: heapUsed + external,
    activeRequests,
    requests,
    reconnects,
    doubled,
  })
})
