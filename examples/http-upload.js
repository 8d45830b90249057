'use strict'

// Run: HYCO_CONNECTION_STRING='…' node examples/http-upload.js
// Takes files of any size without holding them, and tells what they were:
//   curl -T FILE http://127.0.0.1:9400/hyco/FILE

const { createHash } = require('node:crypto')
const { pipeline } = require('node:stream/promises')
const hyco = require('hyco-rs')

const { HYCO_CONNECTION_STRING: connectionString } = process.env
const server = new hyco.RelayedServer({ connectionString, responseTimeout: 0 })
server.on('request', async (request, response) => {
  const hash = createHash('sha256')
  let size = 0
  await pipeline(
    request,
    async function* count(chunks) {
      for await (const chunk of chunks) {
        size += chunk.length
        yield chunk
      }
    },
    hash,
  )
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify({ file: request.url, size, sha256: hash.digest('hex') }))
})
server.on('listening', () => console.log(`listening at ${server.listenUri}`))
server.on('error', (error) => console.error(error.message))
server.on('requestError', (error) => console.error(error.message))
process.once('SIGINT', () => server.close())
