'use strict'

// The server of the HTTP questions in a process of its own: prints one line of JSON when it is ready,
// ends with its standard input.

const http = require('node:http')

const { handler } = require('./http-handler')

const server = http.createServer(handler).listen(0, '127.0.0.1', () => {
  process.stdout.write(JSON.stringify({ port: server.address().port }) + '\n')
  process.stdin.resume()
  process.stdin.once('end', () => process.exit(0))
})
