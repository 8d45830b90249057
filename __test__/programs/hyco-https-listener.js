'use strict'

// Listens with hyco-https: `node hyco-https-listener.js HOME LISTEN-URI TOKEN`.

const path = require('node:path')

const [home, server, token] = process.argv.slice(2)
const https = require(path.join(home, '..', 'hyco-https'))

https
  .createRelayedServer({ server, token }, (req, res) => {
    if (req.url.endsWith('/large')) {
      res.end('x'.repeat(70_000))
      return
    }
    if (req.url.endsWith('/204')) {
      res.statusCode = 204
      res.end()
      return
    }
    const chunks = []
    req.on('data', (chunk) => chunks.push(chunk))
    req.on('end', () => res.end(Buffer.concat(chunks).toString()))
  })
  .on('listening', () => console.log('listening'))
  .listen()
