'use strict'

// The kinds of requests of the chaos run: what is asked, how it is served, and what has to come back.

const { Buffer } = require('node:buffer')
const { createHash } = require('node:crypto')

const KIBIBYTE = 1024

/** Bytes that only this request has. */
function bytesOf(id, length) {
  const start = createHash('sha256').update(String(id)).digest()
  return Buffer.alloc(length, start)
}

function collect(req, done) {
  const chunks = []
  req.on('data', (chunk) => chunks.push(chunk))
  req.on('end', () => done(Buffer.concat(chunks)))
}

/** Each has `serve(req, res, id)`, `expected(id)`, and `body(id)` where one is sent. */
const KINDS = {
  small: {
    serve: (req, res, id) => res.end(`answer ${id}`),
    expected: (id) => Buffer.from(`answer ${id}`),
  },

  slow: {
    serve: (req, res, id) => setTimeout(() => res.end(`slow ${id}`), Math.random() * 2_000),
    expected: (id) => Buffer.from(`slow ${id}`),
  },

  echo: {
    body: (id) => bytesOf(id, 1 + (id % (60 * KIBIBYTE))),
    serve: (req, res) => collect(req, (body) => res.end(body)),
    expected: (id) => bytesOf(id, 1 + (id % (60 * KIBIBYTE))),
  },

  upload: {
    body: (id) => bytesOf(id, 65 * KIBIBYTE + (id % (1024 * KIBIBYTE))),
    serve: (req, res) => collect(req, (body) => res.end(digest(body))),
    expected: (id) => Buffer.from(digest(bytesOf(id, 65 * KIBIBYTE + (id % (1024 * KIBIBYTE))))),
  },

  pipe: {
    body: (id) => bytesOf(id, 200 * KIBIBYTE),
    serve: (req, res) => req.pipe(res),
    expected: (id) => bytesOf(id, 200 * KIBIBYTE),
  },

  download: {
    serve: (req, res, id) => res.end(bytesOf(id, 512 * KIBIBYTE)),
    expected: (id) => bytesOf(id, 512 * KIBIBYTE),
  },

  stream: {
    serve(req, res, id) {
      let left = 5
      const timer = setInterval(() => {
        res.write(`piece ${id}\n`)
        if (--left === 0) res.end()
      }, 30)
      res.on('close', () => clearInterval(timer))
    },
    expected: (id) => Buffer.from(`piece ${id}\n`.repeat(5)),
  },

  givenUp: {
    serve: (req) => setImmediate(() => req.socket.destroy()),
    status: 502,
  },
}

function digest(bytes) {
  return createHash('sha256').update(bytes).digest('hex')
}

module.exports = { KINDS }
