'use strict'

const hyco = require('../..')

require('./environment')

/**
 * Starts a local relay with some hybrid connections, and says how to reach them.
 */
class TestRelay {
  /**
   * @param {Object} [options] As for `startRelayEmulator`
   * @return {Promise<TestRelay>}
   */
  static async start(options = {}) {
    const relay = new TestRelay()
    relay.emulator = await hyco.startRelayEmulator({ port: 0, ...options })
    return relay
  }

  /** The namespace, with scheme and port, as the address helpers take it. */
  get namespace() {
    return this.emulator.namespace
  }

  /**
   * @param {String} path The hybrid connection, with whatever follows it
   * @return {String}
   */
  listenUri(path) {
    return hyco.createRelayListenUri(this.namespace, path)
  }

  /**
   * @param {String} path The hybrid connection, with the sender's suffix and query
   * @return {String}
   */
  sendUri(path) {
    return hyco.createRelaySendUri(this.namespace, path)
  }

  /**
   * A token for the whole namespace.
   *
   * @param {Number} [seconds] Its life
   * @return {String}
   */
  token(seconds) {
    const { keyName, key } = this.emulator
    return hyco.createRelayToken(this.sendUri(''), keyName, key, seconds)
  }

  /** The certificates that a client of this relay has to trust. */
  get ca() {
    return this.emulator.certificate
  }

  /** Closes the relay. */
  close() {
    return this.emulator.close()
  }
}

module.exports = TestRelay
