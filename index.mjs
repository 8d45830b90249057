import WebSocket from './index.js'

export const {
  PerMessageDeflate,
  Receiver,
  RelayedServer,
  RelayedSocket,
  Sender,
  Server,
  WebSocketServer,
  appendRelayToken,
  createRelayBaseUri,
  createRelayListenUri,
  createRelaySendUri,
  createRelayToken,
  createRelayedListener,
  createRelayedServer,
  createWebSocketStream,
  extension,
  relayedConnect,
  startRelayEmulator,
  subprotocol,
} = WebSocket

export { WebSocket }

export default WebSocket
