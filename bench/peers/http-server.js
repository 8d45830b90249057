'use strict'

// An http.Server that listens itself: the measure for relayed requests.

const http = require('node:http')

module.exports = {
  title: 'http.Server, no relay',

  /**
   * Serves HTTP requests.
   *
   * @param {Function} handler a request listener
   * @return {Promise<{host: string, path: string}>} where they are to be sent
   */
  async serve(handler) {
    const server = http.createServer(handler)
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
    return { host: `127.0.0.1:${server.address().port}`, path: '' }
  },
}
