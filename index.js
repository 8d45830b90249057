'use strict'

// First, so that a runtime which forbids something is told everything that has to be allowed.
require('./lib/native')

const ws = require('ws')

const { startRelayEmulator } = require('./lib/emulator/emulator')
const relayedConnect = require('./lib/socket/relayed-connect')
const RelayedServer = require('./lib/server/relayed-server')
const { RelayedSocket } = require('./lib/socket/relayed-socket')
const uri = require('./lib/uri')

/**
 * The `WebSocket` of ws under this package's name: every socket of ws and every relayed socket is an
 * instance of it. `protocols` may be `null`, as callers of hyco-ws pass it.
 */
function WebSocket(...args) {
  if (new.target === undefined) return ws(...args)
  if (args[1] === null) args[1] = undefined
  return Reflect.construct(ws, args, new.target === WebSocket ? ws : new.target)
}

Object.setPrototypeOf(WebSocket, ws)
Object.defineProperties(WebSocket, Object.getOwnPropertyDescriptors(ws))

/**
 * Creates a server that listens at a relay.
 *
 * @param {Object} options As `RelayedServer` takes them
 * @param {Function} [fn] A listener for the `'connection'` event
 * @return {RelayedServer}
 */
function createRelayedServer(options, fn) {
  const server = new RelayedServer(options)
  if (typeof fn === 'function') server.on('connection', fn)
  return server
}

module.exports = Object.assign(WebSocket, {
  RelayedServer,
  RelayedSocket,
  WebSocket,
  appendRelayToken: uri.appendRelayToken,
  createRelayBaseUri: uri.createRelayBaseUri,
  createRelayListenUri: uri.createRelayListenUri,
  createRelaySendUri: uri.createRelaySendUri,
  createRelayToken: uri.createRelayToken,
  createRelayedListener: createRelayedServer,
  createRelayedServer,
  relayedConnect,
  startRelayEmulator,
})
