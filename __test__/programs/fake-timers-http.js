'use strict'

// Serves HTTP under fake timers: `node fake-timers-http.js LISTEN-URI TOKEN`. It answers each request
// with its body until it is told something. Says "listening", and "went on" in the end.

const https = require('../../https')

const [address, token] = process.argv.slice(2)

/** What a test environment replaces in its sandbox; Node's own code keeps the genuine ones. */
const FAKED = ['clearTimeout', 'queueMicrotask', 'setImmediate', 'setInterval', 'setTimeout']

for (const name of FAKED) globalThis[name] = () => 0
globalThis.process = Object.create(process, { nextTick: { value: () => {} } })

const server = https.createRelayedServer({ server: address, token }, (request, response) => {
  const chunks = []
  request.on('data', (chunk) => chunks.push(chunk))
  request.on('end', () => {
    response.end(Buffer.concat(chunks))
  })
})
server.listen(() => process.stdout.write('listening\n'))

process.stdin.once('data', () => {
  process.stdin.destroy()
  // Called back when it is down, and once more since it is down already.
  server.close(() => server.close(() => process.stdout.write('went on\n')))
})
