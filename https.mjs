import https from './https.js'

export const {
  Agent,
  Server,
  ServerResponse,
  appendRelayToken,
  createRelayBaseUri,
  createRelayHttpsUri,
  createRelayListenUri,
  createRelaySendUri,
  createRelayToken,
  createRelayedServer,
  createServer,
  get,
  globalAgent,
  request,
} = https

export default https
