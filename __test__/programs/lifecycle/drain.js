'use strict'

// Serves HTTP as MODE says, and drains when a request has come: the process must stay until that is
// answered, and end by itself then.

const http = require('node:http')

const hyco = require('hyco-rs')

const { MODE, TIMEOUT, SERVED, URI, TOKEN } = process.env
const server = hyco.createRelayedServer({ server: URI, token: TOKEN })

/** Nothing but the request keeps the process while it is answered. */
const later = (fn, ms) => setTimeout(fn, ms).unref()

function answer(_req, res) {
  drain()
  if (MODE === 'endless') {
    res.writeHead(200, { 'content-type': 'text/event-stream' })
    res.write('data: begun\n\n')
  } else later(() => res.end(Buffer.alloc(2_000_000)), 300)
}

async function drain() {
  const timeout = TIMEOUT ? { timeout: Number(TIMEOUT) } : undefined
  console.log('drained', await server.drain(timeout), server.status)
}

if (MODE === 'forward') {
  server.forward(SERVED)
  process.stdin.once('data', () => {
    process.stdin.destroy()
    drain()
  })
} else server.attach(http.createServer(answer))
server.on('listening', () => console.log('listening'))
