'use strict'

const assert = require('node:assert/strict')
const { createHash } = require('node:crypto')
const http = require('node:http')
const { describe, it } = require('node:test')

const HttpSetting = require('./support/http-server')
const { until } = HttpSetting

const TIMEOUT = { timeout: 300_000 }

const sum = (bytes) => createHash('sha1').update(bytes).digest('hex')

/** Bytes that no other upload has. */
function bytesOf(index, length) {
  const bytes = Buffer.alloc(length, index)
  bytes.writeUInt32LE(index, length - 4)
  return bytes
}

/** Answers with the checksum of the body. */
function digest(req, res) {
  const hash = createHash('sha1')
  req.on('data', (chunk) => hash.update(chunk))
  req.on('end', () => res.end(hash.digest('hex')))
}

/** The same for `fetch`. */
async function fetchDigest(request) {
  return new Response(sum(Buffer.from(await request.arrayBuffer())))
}

// Together they are more than may wait for JavaScript at a time.
const CROWDS = [
  [200, 100_000],
  [1000, 8000],
]

describe('many uploads at once', TIMEOUT, () => {
  const services = {
    'an attached server': (setting) => setting.server.attach(http.createServer(digest)),
    "a 'request' listener": (setting) => setting.server.on('request', digest),
    fetch: null,
  }
  for (const [name, serve] of Object.entries(services)) {
    for (const [count, length] of CROWDS) {
      it(`are all answered by ${name}: ${count} of ${length} bytes`, async () => {
        const setting = await HttpSetting.start(serve === null ? { fetch: fetchDigest } : {})
        serve?.(setting)
        const upload = async (_, index) => {
          const body = bytesOf(index, length)
          const response = await setting.request('', { method: 'POST' }, body)
          assert.equal(response.statusCode, 200)
          assert.equal(String(response.body), sum(body))
        }
        await Promise.all(Array.from({ length: count }, upload))
        await until(() => setting.server.metrics().activeRequests === 0)
        await setting.close()
      })
    }
  }
})
