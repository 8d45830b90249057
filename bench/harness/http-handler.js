'use strict'

// What is asked in all HTTP questions: the last segment of the path says what.

const { Buffer } = require('node:buffer')

const MEBIBYTE = Buffer.alloc(1 << 20, 'x')
const LARGE = MEBIBYTE.subarray(0, 100_000)
const SMALL = JSON.stringify({ hello: 'world' })
/** Of a download, in MiB. */
const DOWNLOAD = 20

const ANSWERS = {
  small: (req, res) => {
    res.setHeader('content-type', 'application/json')
    res.end(SMALL)
  },

  post: (req, res) => {
    const chunks = []
    req.on('data', (chunk) => chunks.push(chunk))
    req.on('end', () => {
      const { length } = JSON.parse(Buffer.concat(chunks).toString())
      res.setHeader('content-type', 'application/json')
      res.end(JSON.stringify({ length }))
    })
  },

  large: (req, res) => {
    res.setHeader('content-type', 'application/octet-stream')
    res.end(LARGE)
  },

  download: (req, res) => {
    res.setHeader('content-length', DOWNLOAD << 20)
    let left = DOWNLOAD
    const write = () => {
      while (left-- > 0) {
        if (!res.write(MEBIBYTE)) {
          res.once('drain', write)
          return
        }
      }
      res.end()
    }
    write()
  },

  upload: (req, res) => {
    let length = 0
    req.on('data', (chunk) => (length += chunk.length))
    req.on('end', () => res.end(String(length)))
  },

  events: (req, res) => {
    res.setHeader('content-type', 'text/event-stream')
    res.write('data: hello\n\n')
  },
}

/**
 * Answers a request.
 *
 * @param {object} req
 * @param {object} res
 */
function handler(req, res) {
  ANSWERS[req.url.slice(req.url.lastIndexOf('/') + 1)](req, res)
}

module.exports = { handler }
