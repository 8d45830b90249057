'use strict'

// A TCP proxy that only copies: the measure for relaying.

const { start } = require('../harness/program')

module.exports = {
  title: 'TCP proxy',

  /**
   * Stands between the sender and the receiver.
   *
   * @param {object} place
   * @param {object} place.server the Rust program that sends
   * @param {object} place.receiver the one that receives
   * @param {string} place.group
   * @return {Promise<object>} pid, connectUrl and `stop()`
   */
  async start({ server, receiver, group }) {
    const proxy = await start(server.program, ['proxy', String(receiver.tcp)])
    return { ...proxy, connectUrl: `ws://127.0.0.1:${proxy.tcp}/${group}` }
  },
}
