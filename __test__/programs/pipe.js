'use strict'

// Pipes FILE to a listener that pipes it back into COPY, and says how much memory that took.

const { createReadStream, createWriteStream } = require('node:fs')
const { once } = require('node:events')
const { pipeline } = require('node:stream/promises')
const hyco = require('hyco-rs')

const { COPY, FILE, LISTEN, SEND, TOKEN } = process.env
const MIB = 1 << 20

async function main() {
  const server = hyco.createRelayedServer({ server: LISTEN, token: TOKEN }, (socket) => {
    const stream = hyco.createWebSocketStream(socket)
    stream.pipe(stream)
  })
  await once(server, 'listening')
  const socket = hyco.relayedConnect(SEND, TOKEN)
  const stream = hyco.createWebSocketStream(socket)
  await once(socket, 'open')

  const before = process.memoryUsage.rss()
  let peak = before
  const watch = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss())
  }, 5)
  const start = performance.now()
  let sent = 0
  let received = 0
  const closeWhenAllIsBack = () => {
    if (received === sent && input.closed) socket.close()
  }
  socket.on('message', (data) => {
    received += data.length
    closeWhenAllIsBack()
  })
  const input = createReadStream(FILE, { highWaterMark: 64 << 10 })
  input.on('data', (data) => {
    sent += data.length
  })
  // The last message may be back before the file has been seen to end.
  input.on('close', closeWhenAllIsBack)
  input.pipe(stream, { end: false })
  stream.on('finish', () => stream.end())
  await pipeline(stream, createWriteStream(COPY))
  clearInterval(watch)
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  const grown = Math.round((peak - before) / MIB)
  console.log(`piped ${Math.round(sent / MIB)} MiB there and back in ${seconds} s`)
  console.log(`memory grew by ${grown} MiB`)
  server.close()
}

main()
