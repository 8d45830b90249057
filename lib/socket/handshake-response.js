'use strict'

const { Buffer } = require('node:buffer')
const http = require('node:http')

const { copyOf } = require('../hub/bytes')

/**
 * The answer to a handshake, for `'upgrade'` and `'unexpected-response'`. There is no connection
 * behind it: its body, if it has one, was read already.
 *
 * @extends http.IncomingMessage
 */
class HandshakeResponse extends http.IncomingMessage {
  /**
   * @param {Object} response As the native side saw it
   * @param {Number} response.status
   * @param {String} response.reason The reason phrase
   * @param {String[][]} response.headers Names and values
   * @param {String} [response.body] Each byte a character; the first 64 KiB of it
   * @param {Boolean} [response.complete] Whether that is all of it
   */
  constructor({ status, reason, headers, body = '', complete = true }) {
    super(null)
    this.statusCode = status
    this.statusMessage = reason
    this.httpVersion = '1.1'
    this.httpVersionMajor = 1
    this.httpVersionMinor = 1
    this.upgrade = status === 101
    const lines = headers.flat()
    // What Node's parser calls: `rawHeaders`, `headers` and `headersDistinct` come from it.
    this._addHeaderLines(lines, lines.length)
    // Only now: what comes behind a complete message are trailers.
    this.complete = complete
    if (body !== '') this.push(copyOf(Buffer.from(body, 'latin1')))
    this.push(null)
  }

  /** Everything was pushed already. */
  _read() {}
}

module.exports = HandshakeResponse
