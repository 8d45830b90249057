'use strict'

const { subprotocol } = require('ws')

const ArraySet = require('./array-set')

const HEADER = 'sec-websocket-protocol'

/**
 * The subprotocols that a sender offers: an `Array` as hyco-ws gives it to `handleProtocols`, with the
 * methods of the `Set` that ws 8 gives.
 *
 * @extends ArraySet
 */
class OfferedProtocols extends ArraySet {
  /**
   * @param {RelayedRequest} request
   * @return {OfferedProtocols} What its sender offers
   * @throws {SyntaxError} when it cannot be read
   */
  static of(request) {
    // To ask for `headers` makes an object of all of them, and most senders offer nothing.
    const header = request.rawHeaders.some(isName) ? request.headers[HEADER] : undefined
    return header === undefined ? new this() : this.from(subprotocol.parse(header))
  }
}

/** May be true of a value, too: then the headers tell. */
function isName(text) {
  return text.length === HEADER.length && text.toLowerCase() === HEADER
}

module.exports = OfferedProtocols
