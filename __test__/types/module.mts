// Compiled, never run: the same package, imported.
import WebSocket, {
  type DiagnosticsMessages,
  type RelayEmulatorEvent,
  type RelayEmulatorFault,
  type RelayError,
  type RelayedRequest,
  RelayedServer,
  type RelayedServerOptions,
  RelayedSocket,
  WebSocketServer,
  createRelayListenUri,
  createRelaySendUri,
  createRelayToken,
  createRelayedServer,
  createWebSocketStream,
  relayedConnect,
  startRelayEmulator,
} from 'hyco-rs'
import { startRelayKit } from 'hyco-rs/testing'
import WS from 'ws'

const options: RelayedServerOptions = {
  server: createRelayListenUri('ws://localhost:9400', 'hyco'),
  token: () => createRelayToken('http://localhost', 'rule', 'key'),
}
const server: RelayedServer = createRelayedServer(
  options,
  (socket: RelayedSocket, request: RelayedRequest) => {
    createWebSocketStream(socket).end(request.url)
  },
)
class Mine extends RelayedServer {
  readonly mine = true
}
const mine: RelayedServer = new Mine(options)
const socket: WS = relayedConnect(createRelaySendUri('ws://localhost:9400', 'hyco'), null)
const other: WebSocket = new WebSocket('ws://localhost')
const failure = (error: RelayError): number | undefined => error.statusCode
new WebSocketServer({ noServer: true })
await using disposed = new RelayedServer(options)
await using relay = await startRelayEmulator({
  tls: true,
  rules: [{ keyName: 'rule', rights: ['Send'] }],
})
const certificate: string | undefined = relay.certificate
relay.on('refused', ({ status, hint }) => console.log(status.toFixed(), hint?.length))
relay.once('answered', ({ whole, toSender }) => console.log(whole === true, toSender.toFixed()))
// @ts-expect-error a refusal has no count of bytes
relay.on('refused', ({ toSender }) => toSender)
for await (const event of relay) {
  if (event.type === 'closed') console.log(event.toListener?.bytes.toFixed())
  // @ts-expect-error only ends have traffic
  else console.log(event.toListener.bytes)
}
for (const request of relay.requests()) if (request.status === null) request.drop()
relay.setFault({ kind: 'refuse', status: 503, action: 'request' })
// @ts-expect-error a kind that is none
relay.setFault({ kind: 'dorp', on: 'control' })
await startRelayEmulator({ responseTimeout: 5, forwardHost: false, reuseRendezvous: true })
for await (const accepted of server) {
  for await (const message of accepted) {
    if (typeof message === 'string') accepted.send(message.toUpperCase())
    // @ts-expect-error it may be bytes
    else message.toUpperCase()
  }
  await accepted.readable.pipeTo(accepted.writable)
  const readable: ReadableStream = accepted.readable
  const upper = new TransformStream<unknown, string>()
  await readable.pipeThrough(upper).pipeTo(accepted.writable)
  await new Response('text').body?.pipeTo(accepted.writable)
  await accepted.writable.getWriter().write(new Blob(['text']))
  // @ts-expect-error a message is text or bytes
  await accepted.writable.getWriter().write(5)
}
await using kit = await startRelayKit(null, { relay: { tls: true }, server: { autoPong: false } })
const pair: { sender: WS; socket: RelayedSocket } = await kit.pair({ headers: { a: 'b' } })
pair.sender.send(kit.token(60))
// @ts-expect-error it is no function
startRelayKit('afterAll')
// @ts-expect-error there is no such right
startRelayEmulator({ rules: [{ keyName: 'rule', rights: ['All'] }] })
// @ts-expect-error there is no such export
export { nothing } from 'hyco-rs'

void [server, mine, socket, other, failure, disposed, certificate]

import https, { type Server as RelayHttpsServer, createRelayHttpsUri } from 'hyco-rs/https'
const relayed: RelayHttpsServer = https.createRelayedServer(options, (req, res) => res.end(req.url))
relayed.listen(() => {}).on('requestError', () => {})
export const uri: string = createRelayHttpsUri('ns', 'hyco')
https.get(uri)
const message = (tell: DiagnosticsMessages['hyco-rs:socket:close']): string => tell.reason
// @ts-expect-error there is no such channel
type Unknown = DiagnosticsMessages['hyco-rs:socket:closed']
relay.on('refused', (event: RelayEmulatorEvent) => event.serial)
// @ts-expect-error there is no such event
relay.on('refusal', () => {})
const fault: RelayEmulatorFault = { kind: 'drop', on: 'control' }
relayedConnect(null, { connectionString: relay.connectionString, tokenScope: 'https://relay' })
export { fault, message, type Unknown }
