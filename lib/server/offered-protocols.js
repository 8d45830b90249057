'use strict'

const { subprotocol } = require('ws')

const ArraySet = require('./array-set')

/**
 * The subprotocols that a sender offers: an `Array` as hyco-ws gives it to `handleProtocols`, with the
 * methods of the `Set` that ws 8 gives.
 *
 * @extends ArraySet
 */
class OfferedProtocols extends ArraySet {
  /**
   * @param {(String|undefined)} header `Sec-WebSocket-Protocol` of the sender
   * @return {OfferedProtocols}
   * @throws {SyntaxError} when it cannot be read
   */
  static parse(header) {
    return this.from(header === undefined ? [] : subprotocol.parse(header))
  }
}

module.exports = OfferedProtocols
