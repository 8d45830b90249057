'use strict'

const http = require('node:http')
const https = require('node:https')

const Server = require('./lib/http/https-server')
const uri = require('./lib/uri')

/**
 * Creates a server that takes HTTP requests from a relay, once its `listen()` is called.
 *
 * @param {Object} options As `RelayedServer` takes them
 * @param {Function} [requestListener] A listener for the `'request'` event
 * @return {Server}
 */
function createRelayedServer(options, requestListener) {
  return new Server(options, requestListener)
}

/**
 * All that `node:https` exports, which itself is left as it is, and the exports of hyco-https. Only
 * `Server` is another one.
 */
const own = Object.defineProperties({}, Object.getOwnPropertyDescriptors(https))

module.exports = Object.defineProperties(
  own,
  Object.getOwnPropertyDescriptors({
    Server,
    // hyco-https has one of its own, which programs hand to Express.
    ServerResponse: http.ServerResponse,
    appendRelayToken: uri.appendRelayToken,
    createRelayBaseUri: uri.createRelayBaseUri,
    createRelayHttpsUri: uri.createRelayHttpsUri,
    createRelayListenUri: uri.createRelayListenUri,
    createRelaySendUri: uri.createRelaySendUri,
    createRelayToken: uri.createRelayToken,
    createRelayedServer,
  }),
)
