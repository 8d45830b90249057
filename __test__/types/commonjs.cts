// Compiled, never run: what a CommonJS user may write, and what must not compile.
import WebSocket = require('hyco-rs')
import WS = require('ws')

// The export is ws, and more.
const socket: WS = new WebSocket('wss://example.com', null, { origin: 'https://example.com' })
socket.on('message', (data: WebSocket.RawData, isBinary: boolean) =>
  socket.send(data.toString(), { binary: isBinary }),
)
class Mine extends WebSocket {
  extra = 1
}
new Mine('wss://example.com').extra.toFixed()
const local: WebSocket.WebSocketServer = new WebSocket.WebSocketServer({ port: 0 })
const same: typeof WebSocket = WebSocket.WebSocket
const state: 1 = WebSocket.OPEN
WebSocket.createWebSocketStream(socket).pipe(process.stdout)

// Addresses and tokens.
const listenUri: string = WebSocket.createRelayListenUri(
  'contoso.servicebus.windows.net',
  'hyco',
  null,
  'id',
)
const sendUri: string = WebSocket.createRelaySendUri('contoso.servicebus.windows.net', 'hyco')
const token: string = WebSocket.createRelayToken(listenUri, 'rule', 'key', 60)
WebSocket.appendRelayToken(sendUri, 'rule', 'key')
// @ts-expect-error the key is missing
WebSocket.createRelayToken(listenUri, 'rule')
// @ts-expect-error seconds are a number
WebSocket.createRelayToken(listenUri, 'rule', 'key', '60')

// Every way to listen.
const server: WebSocket.RelayedServer = WebSocket.createRelayedServer(
  { server: listenUri, token },
  (client, request) => {
    client.send(request.trackingId)
    client.send(request.socket.remoteAddress ?? 'unknown')
    const relayed: WebSocket.RelayedSocket = client
    relayed.ping()
  },
)
new WebSocket.RelayedServer({ server: new URL(listenUri), token: () => token }, () => {})
WebSocket.RelayedServer({ server: listenUri, token: async () => token })
WebSocket.createRelayedListener({ server: listenUri, keyName: 'rule', key: 'key' })
WebSocket.createRelayedServer({ connectionString: 'Endpoint=sb://x', path: 'hyco' })
WebSocket.createRelayedServer({ connectionString: process.env.RELAY_CONNECTION_STRING })
// @ts-expect-error nothing says where to listen
WebSocket.createRelayedServer({ path: 'hyco' })
const credential: WebSocket.TokenCredential = {
  getToken: async (scopes) => ({ token: String(scopes), expiresOnTimestamp: 0 }),
}
WebSocket.createRelayedServer({
  server: listenUri,
  token: credential,
  tokenScope: 'https://relay.azure.net//.default',
  verifyClient: ({ origin, secure, req }) => secure && origin !== req.headers.host,
  handleProtocols: (protocols, request) =>
    protocols.has('chat') && request.url !== '/' ? 'chat' : false,
  reconnect: ({ attempt, delay }) => (attempt > 3 ? false : delay * 2),
  signal: new AbortController().signal,
  tls: { ca: [Buffer.from('')], rejectUnauthorized: false },
})
WebSocket.createRelayedServer({
  server: listenUri,
  token,
  verifyClient: (_info, callback) => callback(false, 403, 'no', { a: 'b' }),
  handleProtocols: (list, respond) => setTimeout(() => respond(true, list[0]), 1) && undefined,
  reconnect: { delays: [0, 10], jitter: 0 },
})
// @ts-expect-error nothing proves the right to listen
WebSocket.createRelayedServer({ server: listenUri })
// @ts-expect-error there is no address
WebSocket.createRelayedServer({ token })
// @ts-expect-error a key without its rule
WebSocket.createRelayedServer({ server: listenUri, key: 'key' })
// @ts-expect-error the address is given twice
WebSocket.createRelayedServer({ server: listenUri, connectionString: 'Endpoint=sb://x' })
// @ts-expect-error milliseconds are a number
WebSocket.createRelayedServer({ server: listenUri, token, openTimeout: '1s' })
// @ts-expect-error a policy is no string
WebSocket.createRelayedServer({ server: listenUri, token, reconnect: 'never' })

// Its events and members.
server
  .on('connecting', ({ attempt }) => attempt.toFixed())
  .on('online', ({ trackingId }) => trackingId?.length)
  .on('offline', ({ delay, final, error }) => final || delay > (error.statusCode ?? 0))
  .on('listening', () => {})
  .on('headers', (headers, request) => headers.push(request.url))
  .on('connection', function (client) {
    this.clients.has(client)
  })
  .once('acceptError', (error, request) => error.code === 'HYCO_ERR_TIMEOUT' && request?.trackingId)
  .on('error', (error) => {
    switch (error.code) {
      case 'HYCO_ERR_UNAUTHORIZED':
        return error.trackingId
      // @ts-expect-error there is no such code
      case 'HYCO_ERR_UNKNOWN':
        return error.reason
    }
    return undefined
  })
  .off('close', () => {})
server.clients.forEach((client) => client.close(1001))
const [first] = server.clients
first?.terminate()
const count: number = server.clients.size + server.clients.length + server.metrics().active
const host: string | undefined = server.address()?.address
const status: 'connecting' | 'online' | 'offline' | 'closing' | 'closed' = server.status
server
  .ref()
  .unref()
  .close(() => {})
const drained: Promise<boolean> = server.drain({ timeout: 1000 })
// @ts-expect-error it is read only
server.status = 'online'
server.closeRequested = true
const channel: number = server.controlChannel.readyState
server.controlChannel.on('close', (code, reason) => code + reason.length)
server.close().then(() => {})
// @ts-expect-error a mistyped event
server.on('conection', () => {})
// @ts-expect-error a mistyped event
server.once('listen', () => {})

// A server where one of ws is asked for, as by tRPC, graphql-ws and tinybase.
const asked: WebSocket.WebSocketServer = server
const plain = (wss: WS.Server): number => wss.clients.size
plain(server)
const sockets: Set<WS> = server.clients
const list: WS[] = server.clients

// As with @types/hyco-ws.
const old: WebSocket.HybridConnectionWebSocketServer = WebSocket.createRelayedServer({
  server: listenUri,
  token: Promise.resolve(token),
  keepAliveTimeout: 30_000,
  handleProtocols: (protocols: Set<string>) => [...protocols][0] ?? false,
})
const oldPath: string = old.options.server + old.options.path + old.listenUri
WebSocket.createRelayedServer({ server: listenUri, keyName: 'rule', key: Buffer.from('key') })
WebSocket.createRelayToken(new URL(listenUri), 'rule', Buffer.from('key'))

// The events of a socket.
const events = (relayed: WebSocket.RelayedSocket): WS => {
  relayed.on('error', (error) => error.code?.startsWith('HYCO_ERR_') ?? error.statusCode)
  relayed.once('message', (data, isBinary) => isBinary || data.toString())
  relayed.on('unexpected-response', (refused, response) => {
    const isOver: boolean = refused.destroy().destroyed
    if (!isOver) refused.abort()
    return response.statusCode
  })
  // @ts-expect-error a mistyped event
  relayed.on('mesage', () => {})
  return relayed
}

// Every way to connect.
WebSocket.relayedConnect(sendUri, token, (open) => open.send('hello'))
WebSocket.relayedConnect(
  sendUri,
  null,
  { protocols: ['chat'], headers: { a: ['b', 'c'] } },
  (open) => open.protocol,
)
WebSocket.relayedConnect(new URL(sendUri), Promise.resolve(token), {
  ca: 'PEM',
  handshakeTimeout: 1000,
  id: 'id',
})
WebSocket.relayedConnect(sendUri, credential).once('error', (error) => error.message)
WebSocket.relayedConnect(sendUri)
WebSocket.relayedConnect(sendUri, { keyName: 'rule', key: Buffer.from('key') })
WebSocket.relayedConnect(sendUri, { token: () => token })
WebSocket.relayedConnect(null, { connectionString: 'Endpoint=sb://x', path: 'hyco' }, (open) =>
  open.close(),
)
WebSocket.relayedConnect(sendUri, null, { credential, allowedListeners: ['id'] })
server.on('tokenExpiring', ({ left }) => left.toFixed())
WebSocket.createRelayedServer({ server: listenUri, token, reconnect: async () => 5 })
// @ts-expect-error a token is no number
WebSocket.relayedConnect(sendUri, 1)
// @ts-expect-error redirects are not followed
WebSocket.relayedConnect(sendUri, token, { followRedirects: true })
// @ts-expect-error only relayedConnect and servers make them
new WebSocket.RelayedSocket()

void [
  local,
  same,
  state,
  count,
  host,
  status,
  drained,
  channel,
  asked,
  sockets,
  list,
  oldPath,
  events,
]
