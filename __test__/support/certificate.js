'use strict'

const { readFileSync } = require('node:fs')
const { join } = require('node:path')

/**
 * A certificate for `localhost`, `127.0.0.1` and `::1` that is valid until 2100, with the authority
 * that signed it. It is good for tests only: its private key is in this folder for all to read, and
 * the key of the authority was thrown away.
 */
const read = (name) => readFileSync(join(__dirname, 'tls', name), 'utf8')

module.exports = { ca: read('ca.pem'), cert: read('cert.pem'), key: read('key.pem') }
