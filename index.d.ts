import { Blob } from 'buffer'
import { EventEmitter } from 'events'
import {
  ClientRequest,
  ClientRequestArgs,
  IncomingMessage,
  OutgoingHttpHeaders,
  Server as HttpServer,
  ServerResponse,
} from 'http'
import { Server as HttpsServer } from 'https'
import { ReadableStream, WritableStream } from 'stream/web'
import WS = require('ws')

/**
 * The `WebSocket` of ws, under this package's name.
 *
 * It builds sockets of ws and shares their prototype: the client sockets of ws, the sockets of its
 * servers and the {@link WebSocket.RelayedSocket}s of this package are all instances of it, and ws
 * itself is left as it is. `protocols` may be `null`, which means none.
 */
declare class WebSocket extends WS {
  constructor(address: null)
  constructor(address: string | URL, options?: WS.ClientOptions | ClientRequestArgs)
  constructor(
    address: string | URL,
    protocols?: string | string[] | null,
    options?: WS.ClientOptions | ClientRequestArgs | null,
  )
}

declare const WebSocketClass: typeof WebSocket
type WebSocketInstance = WebSocket

declare namespace WebSocket {
  // What ws exports.

  export import Server = WS.Server
  export import WebSocketServer = WS.WebSocketServer
  export import createWebSocketStream = WS.createWebSocketStream
  export import AddressInfo = WS.AddressInfo
  export import CertMeta = WS.CertMeta
  export import ClientOptions = WS.ClientOptions
  export import CloseEvent = WS.CloseEvent
  export import Data = WS.Data
  export import ErrorEvent = WS.ErrorEvent
  export import Event = WS.Event
  export import EventListenerOptions = WS.EventListenerOptions
  export import FinishRequestCallback = WS.FinishRequestCallback
  export import MessageEvent = WS.MessageEvent
  export import PerMessageDeflateOptions = WS.PerMessageDeflateOptions
  export import RawData = WS.RawData
  export import ServerOptions = WS.ServerOptions
  export import VerifyClientCallbackAsync = WS.VerifyClientCallbackAsync
  export import VerifyClientCallbackSync = WS.VerifyClientCallbackSync
  export import WebSocketEventMap = WS.WebSocketEventMap

  /** The class itself, for named imports. */
  const WebSocket: typeof WebSocketClass
  type WebSocket = WebSocketInstance

  /** Reads and writes `Sec-WebSocket-Extensions`, as ws exports it. */
  const extension: {
    format(extensions: object): string
    parse(header: string): Record<string, object[]>
  }

  /** Reads `Sec-WebSocket-Protocol`, as ws exports it. */
  const subprotocol: { parse(header: string): Set<string> }

  /** A part of ws, exported as ws exports it and documented by neither. */
  const PerMessageDeflate: unknown

  /** A part of ws, exported as ws exports it and documented by neither. */
  const Receiver: unknown

  /** A part of ws, exported as ws exports it and documented by neither. */
  const Sender: unknown

  // Tokens.

  /**
   * A credential as `@azure/identity` makes them, told by its shape.
   */
  interface TokenCredential {
    /**
     * Gives an access token.
     *
     * @param scopes What it is for; see `tokenScope`
     */
    getToken(scopes: string | string[]): Promise<{
      token: string
      expiresOnTimestamp?: number
      refreshAfterTimestamp?: number
    } | null>
  }

  /**
   * Gives a token, or a promise of one. It is called before every connection of the control channel
   * and again before the token ends. What it throws is reported as `HYCO_ERR_TOKEN` with the thrown
   * error as `cause`, and it is asked again.
   */
  type TokenFunction = () => string | Promise<string>

  // The listening side.

  /** A request that a sender made to the relay. It has no body; it is complete and ended. */
  interface RelayedRequest extends IncomingMessage {
    /** The id of this connection, the same at the sender, the relay and here. */
    readonly trackingId: string

    /** Always `GET`. */
    method: string

    /** Path and query that the sender asked for, without `/$hc` and without `sb-hc-` parameters. */
    url: string
  }

  /**
   * The subprotocols that a sender offers: an array that has the methods of a set. Where both have a
   * method of the same name, it is that of the array.
   */
  type OfferedProtocols = string[] & Set<string>

  /**
   * The second argument of `handleProtocols`: call it, as hyco-ws wants, or read it as a request, as
   * ws 8 does.
   *
   * @param ok Whether to accept; otherwise the sender is refused with 401 `Unauthorized`
   * @param protocol The subprotocol to answer with
   */
  type ProtocolResponder = RelayedRequest & ((ok: boolean, protocol?: string) => void)

  /**
   * Chooses the subprotocol. It is called for every sender, also for one that offers none.
   *
   * A returned string is the choice; `false`, `null` and `''` choose none. A promise decides when it
   * is fulfilled. A handler with two parameters that returns `undefined` (or a promise of it) decides
   * by calling the second argument, now or later: within `acceptTimeout`, or the sender is refused
   * with 501. A protocol that was not offered is never answered: the sender is refused with 502.
   */
  type HandleProtocols = (
    protocols: OfferedProtocols,
    respond: ProtocolResponder,
  ) => string | false | null | undefined | void | Promise<string | false | null | undefined | void>

  /** What `verifyClient` is told about a sender. */
  interface ClientInfo {
    /** The header `Origin`; `undefined` if there is none. */
    origin: string

    /** Whether the way to the relay is encrypted. */
    secure: boolean

    /** The sender's request. */
    req: RelayedRequest
  }

  /**
   * Decides whether to accept a sender: returns it, promises it, or, with two parameters, calls back.
   *
   * A refusal reaches the sender: `code` (default 401) is the status, `message` (default the standard
   * phrase) the reason; `headers` have no way through the relay. If the handler throws, the sender is
   * refused with 502 and the exception surfaces as an uncaught one.
   */
  type VerifyClient = (
    info: ClientInfo,
    callback: (
      verified: boolean,
      code?: number,
      message?: string,
      headers?: OutgoingHttpHeaders,
    ) => void,
  ) => boolean | Promise<boolean> | void

  /** TLS options, as `tls.connect` takes them. */
  interface TlsOptions {
    /** The authorities to trust, in PEM form, instead of those that Node trusts. */
    ca?: string | Buffer | Array<string | Buffer> | undefined

    /** The client's certificate chain, in PEM form. */
    cert?: string | Buffer | undefined

    /** The private key of `cert`, in PEM form. */
    key?: string | Buffer | undefined

    /** Opens an encrypted `key`. */
    passphrase?: string | undefined

    /**
     * Whether the relay must prove who it is.
     *
     * @defaultValue `true`, unless the variable NODE_TLS_REJECT_UNAUTHORIZED is `0`
     */
    rejectUnauthorized?: boolean | undefined

    /** The name that the relay must prove, if it is not the host of the address. */
    servername?: string | undefined
  }

  /** Options of every relayed socket. */
  interface SocketOptions {
    /**
     * Whether several `'message'`, `'ping'` and `'pong'` events may be emitted in one tick.
     *
     * @defaultValue `true`
     */
    allowSynchronousEvents?: boolean | undefined

    /**
     * Whether pings are answered.
     *
     * @defaultValue `true`
     */
    autoPong?: boolean | undefined

    /**
     * Milliseconds to wait for the closing handshake before the connection is dropped.
     *
     * @defaultValue `30000`
     */
    closeTimeout?: number | undefined

    /**
     * Milliseconds of silence after which the other end is sent a ping, 0 for never. If nothing is
     * heard for two intervals it is lost: a socket emits `'error'` with `HYCO_ERR_CONNECTION_LOST` and
     * closes with 1006. Whatever is received counts as a sign of life. For a server this is also
     * about its control channel.
     *
     * @defaultValue `30000`
     */
    keepAliveInterval?: number | undefined

    /**
     * The most fragments of one message, 0 for no limit.
     *
     * @defaultValue `16384`
     */
    maxFragments?: number | undefined

    /**
     * The largest message in bytes, 0 for no limit. A larger one closes the socket with 1009.
     *
     * @defaultValue `104857600` (100 MiB)
     */
    maxPayload?: number | undefined

    /**
     * The most answers to pings that may wait to be written, 0 for no limit.
     *
     * @defaultValue `60`
     */
    maxPendingAutoPongs?: number | undefined

    /** Accepted for the sake of ws; the relay cannot carry compressed messages. */
    perMessageDeflate?: boolean | object | undefined

    /**
     * A proxy on the way to the relay, for the control channel, accepted connections and senders: an
     * `http:` or `https:` URL of an HTTP proxy, which is asked with CONNECT, or a `socks5:` URL. User and
     * password stand in the URL. The proxy resolves names. `false` means none.
     *
     * @defaultValue HTTPS_PROXY or ALL_PROXY for a `wss:` address, ALL_PROXY for a `ws:` one, also in
     * lower case, except for the hosts in NO_PROXY; read when the server or socket is made
     */
    proxy?: string | URL | false | undefined

    /**
     * Whether text messages are taken without a check that they are UTF-8.
     *
     * @defaultValue `false`
     */
    skipUTF8Validation?: boolean | undefined

    /**
     * What a {@link TokenCredential} is asked for.
     *
     * @defaultValue `'https://relay.azure.net/.default'`
     */
    tokenScope?: string | string[] | undefined
  }

  /** A try to come back, as a function given as `reconnect` is told. */
  interface ReconnectInfo {
    /** Tries since the control channel was up. */
    attempt: number

    /** Milliseconds that the schedule waits. */
    delay: number

    /** Why the control channel is down. */
    error: RelayError
  }

  /** A schedule of reconnection. */
  interface ReconnectSchedule {
    /**
     * Milliseconds before each try after a failure; the last repeats.
     *
     * @defaultValue `[0, 150, 1000, 2000, 5000, 10000, 30000]`
     */
    delays?: number[] | undefined

    /**
     * The share of a delay, from 0 to 1, that chance may change from the second try on.
     *
     * @defaultValue `0.2`
     */
    jitter?: number | undefined
  }

  /** Options of a {@link RelayedServer} that any way of addressing takes. */
  interface RelayedServerSettings extends SocketOptions {
    /**
     * Milliseconds for each rendezvous with a sender, and for a `verifyClient` or `handleProtocols` that
     * answers later.
     *
     * @defaultValue `20000`
     */
    acceptTimeout?: number | undefined

    /**
     * Whether `clients` holds the open sockets, and `close()` closes them.
     *
     * @defaultValue `true`
     */
    clientTracking?: boolean | undefined

    /**
     * Serves relayed HTTP requests: called for each, it returns a `Response`. What it throws or rejects
     * with is answered with 500, and surfaces as an unhandled rejection.
     *
     * @defaultValue `null`: see {@link RelayedServer.attach} and the event `'request'`
     */
    fetch?:
      ((request: Request, info: RequestInfo) => Response | Promise<Response>) | null | undefined

    /**
     * Serves relayed HTTP requests, as {@link RelayedServer.attach} does.
     *
     * @defaultValue `null`
     */
    httpServer?: HttpServer | HttpsServer | null | undefined

    /**
     * How many relayed HTTP requests and upgrades may be unanswered; further ones are answered with 503.
     *
     * @defaultValue `1024`
     */
    maxRequests?: number | undefined

    /**
     * Milliseconds until the head of a response must be there, 0 for no limit. After them the sender is
     * answered with 504. Azure itself waits for 60 s.
     *
     * @defaultValue `60000`
     */
    responseTimeout?: number | undefined

    /**
     * Milliseconds that a response which has begun may wait to become whole and small, so that it can
     * go by the control channel; after them it is streamed. An event stream never waits.
     *
     * @defaultValue `50`
     */
    responseFlushDelay?: number | undefined

    /**
     * How several cookies of one response are sent to the relay, whose format has one value for each
     * name: `'variants'` spells the name in different letters (`Set-Cookie`, `set-cookie`, …), `'array'`
     * sends an array, which the local relay reads, `'first'` sends the first alone, as hyco-https does.
     *
     * @defaultValue `'variants'`
     */
    setCookie?: 'variants' | 'array' | 'first' | undefined

    /**
     * Whether the path of the hybrid connection is cut off the URL of a request: `/hyco/a` is seen as
     * `/a`, and `X-Forwarded-Prefix` says `/hyco`.
     *
     * @defaultValue `false`
     */
    stripPath?: boolean | undefined

    /**
     * Chooses the subprotocol.
     *
     * @defaultValue the first that the sender offers
     */
    handleProtocols?: HandleProtocols | null | undefined

    /**
     * Tracking id, sent as `sb-hc-id`. It should be a GUID.
     *
     * @defaultValue that of the address, else a new GUID
     */
    id?: string | null | undefined

    /** The name that hyco-https has for `keepAliveInterval`. */
    keepAliveTimeout?: number | undefined

    /** Accepted for the sake of hyco-ws; without effect. */
    backlog?: number | null | undefined

    /** Accepted for the sake of hyco-ws; without effect. */
    disableHixie?: boolean | undefined

    /**
     * How many rendezvous with senders may be opening at a time. Further senders are refused with 503,
     * and `'acceptError'` tells `HYCO_ERR_BUSY`.
     *
     * @defaultValue `4096`
     */
    maxConcurrentDials?: number | undefined

    /**
     * How many senders may wait for your decision at a time. Further ones are refused with 503.
     *
     * @defaultValue `4096`
     */
    maxPendingAccepts?: number | undefined

    /**
     * Milliseconds for the control channel to open.
     *
     * @defaultValue `60000`
     */
    openTimeout?: number | undefined

    /**
     * When to come back after a failure: `true` as scheduled, `false` never, an object by another
     * schedule. A function is asked before every try: `false` stops, a number is the milliseconds to
     * wait, anything else keeps to the schedule.
     *
     * @defaultValue `true`
     */
    reconnect?:
      | boolean
      | ReconnectSchedule
      | ((info: ReconnectInfo) => boolean | number | void | Promise<boolean | number | void>)
      | undefined

    /** Closes the server when it is aborted. */
    signal?: AbortSignal | undefined

    /** TLS options, for `wss:` addresses. */
    tls?: TlsOptions | undefined

    /** Decides whether to accept a sender. */
    verifyClient?: VerifyClient | null | undefined
  }

  /** A {@link RelayedServer} that is given a listen URI and a token. */
  interface TokenServerOptions extends RelayedServerSettings {
    /** The listen URI, as {@link createRelayListenUri} makes it. */
    server: string | URL

    /** A token, or what gives tokens. A plain string, or a promise of one, cannot be renewed when it ends. */
    token: string | Promise<string> | TokenFunction | TokenCredential

    keyName?: string | null | undefined
    key?: string | null | undefined
    connectionString?: null | undefined
    path?: string | null | undefined
  }

  /** A {@link RelayedServer} that is given a listen URI and signs its own tokens. */
  interface KeyServerOptions extends RelayedServerSettings {
    /** The listen URI, as {@link createRelayListenUri} makes it. */
    server: string | URL

    /** The rule that grants the right to listen. */
    keyName: string

    /** A key of that rule, as text or as its bytes. */
    key: string | Uint8Array

    token?: null | undefined
    connectionString?: null | undefined
    path?: string | null | undefined
  }

  /** A {@link RelayedServer} that is given a connection string. */
  interface ConnectionStringServerOptions extends RelayedServerSettings {
    /**
     * `Endpoint=sb://…;SharedAccessKeyName=…;SharedAccessKey=…[;EntityPath=…]`. It may be a variable of the
     * environment: one that is not set throws a `TypeError` that says so.
     */
    connectionString: string | undefined

    /** The hybrid connection, where the string has no `EntityPath`; otherwise the same as that. */
    path?: string | null | undefined

    /** Used instead of the key in the string. */
    token?: string | Promise<string> | TokenFunction | TokenCredential | null | undefined

    server?: null | undefined
    keyName?: null | undefined
    key?: null | undefined
  }

  /** Options of a {@link RelayedServer}. */
  type RelayedServerOptions = TokenServerOptions | KeyServerOptions | ConnectionStringServerOptions

  /**
   * The options of a server as it shows them: complete, with the defaults. Secrets can be read, and are
   * not enumerated. What ws names in the same way, and means otherwise, is `any` here.
   */
  interface RelayedServerShownOptions extends Required<
    Omit<
      RelayedServerSettings,
      | 'backlog'
      | 'handleProtocols'
      | 'keepAliveTimeout'
      | 'perMessageDeflate'
      | 'proxy'
      | 'signal'
      | 'tls'
      | 'tokenScope'
      | 'verifyClient'
    >
  > {
    readonly backlog: any
    readonly connectionString: string | null
    readonly handleProtocols: any
    readonly key: string | Uint8Array | null
    readonly keyName: string | null
    readonly path: any
    readonly perMessageDeflate: any
    readonly server: any
    readonly signal?: AbortSignal
    readonly tls?: TlsOptions
    readonly token: any
    readonly tokenScope?: string | string[]
    readonly verifyClient: any
  }

  /**
   * The open sockets of a server: an array that has the methods of a set. `forEach` calls back as that of
   * a set does, `keys` and `entries` are those of the array. Removing a socket moves the last one into
   * its place: the order is not that of arrival.
   */
  type Clients = Set<RelayedSocket> & RelayedSocket[]

  /** The events of a {@link RelayedControlChannel}. */
  interface RelayedControlChannelEvents {
    /** It is up. */
    open: []

    /** It is down, or could not be opened: why. */
    error: [error: RelayError]

    /** It is down, or could not be opened. */
    close: [code: number, reason: string]
  }

  /** Shows the control channel of a server; with hyco-ws it is a WebSocket, here it can be watched only. */
  interface RelayedControlChannel extends EventEmitter {
    /** `CONNECTING`, `OPEN`, `CLOSING` or `CLOSED`, with the numbers of ws. */
    readonly readyState: 0 | 1 | 2 | 3
    readonly CONNECTING: 0
    readonly OPEN: 1
    readonly CLOSING: 2
    readonly CLOSED: 3

    on<E extends keyof RelayedControlChannelEvents>(
      event: E,
      listener: (...args: RelayedControlChannelEvents[E]) => void,
    ): this
    once<E extends keyof RelayedControlChannelEvents>(
      event: E,
      listener: (...args: RelayedControlChannelEvents[E]) => void,
    ): this
    off<E extends keyof RelayedControlChannelEvents>(
      event: E,
      listener: (...args: RelayedControlChannelEvents[E]) => void,
    ): this
  }

  /** Where a server listens. */
  interface RelayedAddress {
    /** The host of the relay. */
    address: string

    /** `'IPv4'` or `'IPv6'`; empty if `address` is a name. */
    family: string

    /** Its port. */
    port: number

    /** The hybrid connection. */
    path: string

    /** Whether the way to the relay is encrypted. */
    secure: boolean
  }

  /** What a server has counted since its start. */
  interface RelayedServerMetrics {
    /** Senders whose socket was opened. */
    accepted: number

    /** Senders that were refused. */
    rejected: number

    /** Senders that were accepted, but not met. */
    failed: number

    /** Senders that left before they were met, which is no error. */
    abandoned: number

    /** Sockets that are open now. */
    active: number

    /** Senders that wait for a decision or for their rendezvous now. */
    pending: number

    /** How often the control channel came back. */
    reconnects: number

    /** HTTP requests and upgrades that a server was given. */
    requests: number

    /** Those that are open now. */
    activeRequests: number

    /** Those of which `'requestError'` told. */
    failedRequests: number

    /**
     * The same in the text format of Prometheus, each metric with its help and type, and whether the
     * control channel is up as `hyco_online`. Counters are called `hyco_accepted_total`, and what goes up
     * and down `hyco_active`; the label `path` tells the hybrid connection. It is no enumerable property.
     *
     * @param others Of other servers of the process; those of one path are summed up
     * @throws TypeError for what `metrics()` has not returned
     */
    prometheus(...others: RelayedServerMetrics[]): string
  }

  /** What is known of the sender of an HTTP request. */
  interface RequestInfo {
    /** The service's id of the request; empty if the request could not be understood. */
    trackingId: string

    /** The sender's IP address as the relay saw it. */
    remoteAddress?: string

    /** The sender's port. */
    remotePort?: number
  }

  /** The events of a {@link RelayedServer} and what their listeners are given. */
  interface RelayedServerEvents {
    /** The control channel is being opened, for the `attempt`-th time since it was up. */
    connecting: [info: { attempt: number }]

    /** The control channel is up. */
    online: [info: { trackingId?: string }]

    /**
     * The control channel is down, or could not be opened: why, and the milliseconds until the next
     * try. `final` says that there is none.
     */
    offline: [info: { attempt: number; delay: number; final: boolean; error: RelayError }]

    /** The control channel is up, each time; after `'online'`. */
    listening: []

    /**
     * The token was given as a text and cannot be renewed, and it ends in `left` milliseconds. Once; told by
     * `process.emitWarning` as well.
     */
    tokenExpiring: [info: { left: number }]

    /**
     * A sender is about to be accepted. The line that begins with `Sec-WebSocket-Protocol:` can be
     * changed, added or removed. Lines that you add go with the accept handshake to the relay; one that
     * cannot be sent has the sender refused with 502.
     */
    headers: [headers: string[], request: RelayedRequest]

    /** A socket is open. Right after it the socket emits `'open'`. */
    connection: [socket: RelayedSocket, request: RelayedRequest]

    /**
     * A sender could not be met, or was refused for a fault of this side's, or the relay could not be
     * told of a refusal; then `request` is `null`. Never fatal.
     */
    acceptError: [error: RelayError, request: RelayedRequest | null]

    /**
     * A sender's HTTP request, if no server is attached and there is no `fetch`. A listener that throws,
     * or returns a promise that rejects, has the request answered with 500.
     */
    request: [request: IncomingMessage & { trackingId: string }, response: ServerResponse]

    /**
     * A request was passed on by {@link RelayedServer.forward} and answered. `statusCode` is 0 if the
     * sender left before; `duration` is in milliseconds.
     */
    forwarded: [info: { method: string; url: string; statusCode: number; duration: number }]

    /**
     * An HTTP request was not served, or not to its end: it could not be understood, nobody answered in
     * time, there were too many, or its response could not be relayed. Never fatal.
     */
    requestError: [error: RelayError, info: RequestInfo]

    /**
     * Something failed: each failure, after its `'offline'`. If you add no listener, the server throws only
     * a failure before the first `'listening'` that trying again cannot be expected to cure. If you listen
     * neither for this nor for `'offline'`, other failures are told by `process.emitWarning`.
     */
    error: [error: RelayError]

    /** All is down, after {@link RelayedServer.close}, or once `closeRequested` has taken effect. Once. */
    close: [server: RelayedServer]

    /** Of `EventEmitter`. */
    newListener: [event: string | symbol, listener: (...args: any[]) => void]

    /** Of `EventEmitter`. */
    removeListener: [event: string | symbol, listener: (...args: any[]) => void]
  }

  /** What a server does at the moment; `'offline'` is between two tries, or for good. */
  type RelayedServerStatus = 'connecting' | 'online' | 'offline' | 'closing' | 'closed'

  /**
   * A server that listens at a relay.
   *
   * Its events come in this order: `'connecting'`, then `'online'` and `'listening'`, or `'offline'`
   * and `'error'` and after a pause `'connecting'` again; for each sender `'headers'`, then
   * `'connection'` or `'acceptError'`; at the end `'close'`.
   */
  interface RelayedServer extends EventEmitter {
    /** The options, complete. Secrets can be read, but are not enumerated. */
    readonly options: RelayedServerShownOptions

    /** The hybrid connection, unless the option `path` says otherwise. */
    readonly path: string

    /** The address it listens at. */
    readonly listenUri: string

    /** The open sockets. */
    readonly clients: Clients

    /**
     * Whether the control channel will not be opened again. If you set it, a server that is online stays
     * so until its control channel is lost, and one that is offline ends at once; `'close'` follows, and
     * open sockets stay open.
     */
    closeRequested: boolean

    /** What it does at the moment. */
    readonly status: RelayedServerStatus

    /** Shows the control channel. */
    readonly controlChannel: RelayedControlChannel

    /** Where it listens; `null` when it is closed. */
    address(): RelayedAddress | null

    /**
     * Serves relayed HTTP requests by that server, which need not listen and may listen as well. Senders
     * of WebSockets meet its `'upgrade'` listeners, unless this server has `'connection'` listeners.
     *
     * @param server
     * @throws TypeError if something serves requests already
     */
    attach(server: HttpServer | HttpsServer): this

    /** No longer serves requests by the attached server; those that are open stay with it. */
    detach(): this

    /**
     * Passes relayed HTTP requests, and senders of WebSockets unless there are `'connection'` listeners,
     * on to a server elsewhere, outside the JavaScript thread. Connections to it are kept for further
     * requests. It is told of the sender in `X-Forwarded-For` and `X-Forwarded-Proto`. A server that
     * cannot be reached is answered for with 502.
     *
     * @param target A port of this machine, `host:port`, or `http(s)://host:port`
     * @param options.host A `Host` in place of the sender's
     * @param options.tls Whom to trust if the target is an `https:` URL
     * @throws TypeError if something serves requests already, or for a target that is none
     */
    forward(
      target: number | string | URL,
      options?: { host?: string | undefined; tls?: TlsOptions | undefined },
    ): this

    /**
     * Stops accepting, closes the tracked sockets and the control channel with 1000, and gives up open
     * HTTP requests. May be called again.
     *
     * @param callback Called when all of it is down
     * @returns Fulfilled when all of it is down
     */
    close(callback?: () => void): Promise<void>

    /**
     * Stops accepting, waits for the open sockets and HTTP requests to end, then closes.
     *
     * @param options.timeout Milliseconds after which they are ended; by default it waits
     * @returns Whether all of them ended by themselves
     */
    drain(options?: { timeout?: number }): Promise<boolean>

    /** What it has counted. */
    metrics(): RelayedServerMetrics

    /** Keeps the process alive while it listens, which is the default. */
    ref(): this

    /** Lets the process end although it listens. */
    unref(): this

    /**
     * The sockets of senders, for `for await`.
     *
     * A socket that the loop has not taken yet is paused, so that none of its messages is lost. The
     * loop ends when the server is closed. A failure for which the server cannot listen is thrown in
     * the loop. Leaving the loop leaves the server open, and closes the sockets that wait with 1013.
     */
    [Symbol.asyncIterator](): AsyncIterableIterator<RelayedSocket>

    /** Closes it; resolved when all of it is down. */
    [Symbol.asyncDispose](): Promise<void>

    /** Whether a request of an HTTP server may be upgraded here: never, senders come from the relay. */
    shouldHandle(request: IncomingMessage): false

    /**
     * There is no HTTP server here whose upgrades could be handled.
     *
     * @throws TypeError always
     */
    handleUpgrade(...args: any[]): never

    on<E extends keyof RelayedServerEvents>(
      event: E,
      listener: (this: RelayedServer, ...args: RelayedServerEvents[E]) => void,
    ): this
    once<E extends keyof RelayedServerEvents>(
      event: E,
      listener: (this: RelayedServer, ...args: RelayedServerEvents[E]) => void,
    ): this
    off<E extends keyof RelayedServerEvents>(
      event: E,
      listener: (this: RelayedServer, ...args: RelayedServerEvents[E]) => void,
    ): this
    addListener<E extends keyof RelayedServerEvents>(
      event: E,
      listener: (this: RelayedServer, ...args: RelayedServerEvents[E]) => void,
    ): this
    removeListener<E extends keyof RelayedServerEvents>(
      event: E,
      listener: (this: RelayedServer, ...args: RelayedServerEvents[E]) => void,
    ): this
  }

  /** The class {@link RelayedServer}; `new` may be left out. */
  interface RelayedServerConstructor {
    /**
     * Starts listening.
     *
     * @param options
     * @param onListening A one-time listener for `'listening'`
     * @throws TypeError naming the option that cannot be used
     */
    new (options: RelayedServerOptions, onListening?: () => void): RelayedServer
    (options: RelayedServerOptions, onListening?: () => void): RelayedServer
    readonly prototype: RelayedServer
  }

  const RelayedServer: RelayedServerConstructor

  /** The name that `@types/hyco-ws` has for a {@link RelayedServer}. */
  type HybridConnectionWebSocketServer = RelayedServer

  /**
   * Creates a server that listens at a relay.
   *
   * @param options
   * @param fn A listener for `'connection'`
   */
  function createRelayedServer(
    options: RelayedServerOptions,
    fn?: (this: RelayedServer, socket: RelayedSocket, request: RelayedRequest) => void,
  ): RelayedServer

  /** The other name of {@link createRelayedServer}. */
  const createRelayedListener: typeof createRelayedServer

  // The sending side.

  /**
   * Stands where `ws` gives its `http.ClientRequest` to `'unexpected-response'` listeners. The exchange is
   * over, so that ending it does nothing but emit `'close'`.
   */
  interface HandshakeRequest extends EventEmitter {
    /** Whether it was ended. */
    readonly destroyed: boolean

    /** Ends it. */
    destroy(): this

    /** The older name of {@link HandshakeRequest.destroy | destroy}. */
    abort(): void
  }

  /** The events of a {@link RelayedSocket} and what their listeners are given. */
  interface RelayedSocketEvents {
    /** It is open. */
    open: []

    /** A message came. */
    message: [data: RawData, isBinary: boolean]

    /** A ping came, and was answered unless `autoPong` is off. */
    ping: [data: Buffer]

    /** A pong came. */
    pong: [data: Buffer]

    /** It could not be opened, or the other side broke the protocol; `'close'` follows. */
    error: [error: RelayedSocketError]

    /** It is closed. */
    close: [code: number, reason: Buffer]

    /** The relay has answered 101. */
    upgrade: [response: IncomingMessage]

    /** The relay, or through it the listener, has refused; with a listener there is no `'error'`. */
    'unexpected-response': [request: HandshakeRequest, response: IncomingMessage]

    /** Of `EventEmitter`. */
    newListener: [event: string | symbol, listener: (...args: any[]) => void]

    /** Of `EventEmitter`. */
    removeListener: [event: string | symbol, listener: (...args: any[]) => void]
  }

  /**
   * An error of a socket: a {@link RelayError} where it could not be opened, else one of ws, whose code
   * begins with `WS_ERR_`.
   */
  interface RelayedSocketError extends Error, Partial<Omit<RelayError, keyof Error | 'code'>> {
    /** The stable code. */
    code?: RelayErrorCode | (string & {})
  }

  /**
   * A WebSocket through the relay: what {@link relayedConnect} returns and `'connection'` gives.
   * Everything that ws documents about its `WebSocket` holds, but nothing is ever compressed.
   */
  class RelayedSocket extends WebSocketClass {
    private constructor()

    /**
     * The messages as a stream of the web: text as strings, everything else as `'message'` gives it.
     *
     * The socket is paused while nobody reads. The stream ends with the connection; it fails with the
     * error of the socket, or with `HYCO_ERR_CONNECTION_LOST` where there was no closing handshake.
     * Cancelling it closes the socket with 1000. From its first use on it takes the messages.
     */
    readonly readable: ReadableStream<RelayedChunk>

    /**
     * A stream of the web that sends each chunk as a message, strings as text.
     *
     * A writer has to wait while more than 64 KiB are not written out. Closing the stream closes the
     * socket with 1000 and waits for it; aborting it terminates the socket. It fails with the socket.
     */
    readonly writable: WritableStream<RelayedChunk>;

    /**
     * The messages, for `for await`, as {@link readable} gives them. The socket is paused while the
     * loop is slower than the peer. Leaving the loop leaves the socket open.
     */
    [Symbol.asyncIterator](): AsyncIterableIterator<RelayedMessage>

    /** Closes it with 1000; fulfilled when it is closed. */
    [Symbol.asyncDispose](): Promise<void>

    on<E extends keyof RelayedSocketEvents>(
      event: E,
      listener: (this: RelayedSocket, ...args: RelayedSocketEvents[E]) => void,
    ): this
    once<E extends keyof RelayedSocketEvents>(
      event: E,
      listener: (this: RelayedSocket, ...args: RelayedSocketEvents[E]) => void,
    ): this
    off<E extends keyof RelayedSocketEvents>(
      event: E,
      listener: (this: RelayedSocket, ...args: RelayedSocketEvents[E]) => void,
    ): this
    addListener<E extends keyof RelayedSocketEvents>(
      event: E,
      listener: (this: RelayedSocket, ...args: RelayedSocketEvents[E]) => void,
    ): this
    removeListener<E extends keyof RelayedSocketEvents>(
      event: E,
      listener: (this: RelayedSocket, ...args: RelayedSocketEvents[E]) => void,
    ): this
  }

  /**
   * Text as a string; everything else as the `binaryType` of the socket says, by default a Buffer.
   * Fragments are put together.
   */
  type RelayedMessage = string | Buffer | ArrayBuffer | Blob

  /** What the streams of a socket carry: a {@link RelayedMessage}, or other bytes to be sent. */
  type RelayedChunk = string | Uint8Array | ArrayBuffer | Blob

  /** Options of {@link relayedConnect}. */
  interface RelayedConnectOptions extends SocketOptions, Omit<TlsOptions, 'key'> {
    /** Tracking ids of the listeners that the relay may choose. */
    allowedListeners?: string | string[] | null | undefined

    /** Names the relay and the key; `path` names the hybrid connection if it has no `EntityPath`. */
    connectionString?: string | null | undefined

    /** Gives tokens. */
    credential?: TokenCredential | null | undefined

    /** Tracking ids of the listeners that the relay may not choose. */
    disallowedListeners?: string | string[] | null | undefined

    /** With `keyName`, a key of that rule; otherwise the private key of `cert`, in PEM form. */
    key?: string | Uint8Array | undefined

    /** A rule that grants the right to send. */
    keyName?: string | null | undefined

    /**
     * Beside `connectionString`: the hybrid connection, and what the listener is to see after it, such as
     * `'hyco/chat?room=1'`. With an `EntityPath` it begins with that, and `'?room=1'` adds a query alone.
     */
    path?: string | null | undefined

    /**
     * Milliseconds for the socket to open, with the wait for a token; 0 for no limit.
     *
     * @defaultValue `70000`
     */
    handshakeTimeout?: number | undefined

    /** More headers; the listener sees them. */
    headers?: Record<string, string | number | string[] | undefined> | undefined

    /** Tracking id, sent as `sb-hc-id`. It should be a GUID. */
    id?: string | undefined

    /** Value of the header `Origin`. */
    origin?: string | undefined

    /** The subprotocols to offer. */
    protocols?: string | string[] | undefined

    /**
     * Gives the socket up while it connects (its `'error'` is an `AbortError`), and terminates it
     * later.
     */
    signal?: AbortSignal | undefined

    /** TLS options, for `wss:` addresses. They may also stand beside, as in ws. */
    tls?: TlsOptions | undefined
  }

  /**
   * Connects to a listener through the relay.
   *
   * The socket is returned while it is connecting. If it cannot be opened it emits `'error'` with a
   * {@link RelayError}, then `'close'` with 1006.
   *
   * @param address The send URI, as {@link createRelaySendUri} makes it; `null` if the option
   *   `connectionString` names it
   * @param token What proves the right to send; nothing where senders need none; or the options
   * @param fn Called with the socket when it is open
   * @throws SyntaxError for an address or subprotocol that cannot be used
   * @throws TypeError for an option that cannot be used
   */
  function relayedConnect(address: string | URL, fn: (socket: RelayedSocket) => void): RelayedSocket
  function relayedConnect(
    address: string | URL | null,
    token?:
      string | Promise<string> | TokenFunction | TokenCredential | RelayedConnectOptions | null,
    fn?: (socket: RelayedSocket) => void,
  ): RelayedSocket
  function relayedConnect(
    address: string | URL | null,
    token: string | Promise<string> | TokenFunction | TokenCredential | null | undefined,
    options: RelayedConnectOptions | null | undefined,
    fn?: (socket: RelayedSocket) => void,
  ): RelayedSocket

  // Addresses and tokens.

  /**
   * The URI of a hybrid connection: `wss://NAMESPACE:443/$hc/PATH`.
   *
   * @param namespace The host, perhaps with a scheme and a port (`ws://localhost:9400`)
   * @param path The hybrid connection
   */
  function createRelayBaseUri(namespace: string, path: string): string

  /**
   * The URI at which to listen.
   *
   * @param namespace The host, perhaps with a scheme and a port
   * @param path The hybrid connection; a query may follow
   * @param token A token to put into the URI, for clients that cannot set headers
   * @param id A tracking id
   */
  function createRelayListenUri(
    namespace: string,
    path: string,
    token?: string | null,
    id?: string | null,
  ): string

  /**
   * The URI at which to connect to a listener.
   *
   * @param namespace The host, perhaps with a scheme and a port
   * @param path The hybrid connection, and what the listener is to see after it; a query may follow
   * @param token A token to put into the URI, for clients that cannot set headers
   * @param id A tracking id
   */
  function createRelaySendUri(
    namespace: string,
    path: string,
    token?: string | null,
    id?: string | null,
  ): string

  /**
   * Signs a token.
   *
   * @param uri What it is for: a hybrid connection or a whole namespace
   * @param ruleName The rule whose rights it confers
   * @param key A key of that rule, as text or as its bytes
   * @param expirationSeconds Seconds until it ends; 3600 by default
   * @throws TypeError naming the argument that cannot be used
   */
  function createRelayToken(
    uri: string | URL,
    ruleName: string,
    key: string | Uint8Array,
    expirationSeconds?: number | null,
  ): string

  /**
   * Signs a token and puts it into the query of the URI.
   *
   * @param uri What it is for
   * @param ruleName The rule whose rights it confers
   * @param key A key of that rule, as text or as its bytes
   * @param expirationSeconds Seconds until it ends; 3600 by default
   * @throws TypeError naming the argument that cannot be used
   */
  function appendRelayToken(
    uri: string | URL,
    ruleName: string,
    key: string | Uint8Array,
    expirationSeconds?: number | null,
  ): string

  // The local relay.

  /** A rule of the local relay. */
  interface RelayEmulatorRule {
    /** Its name, of 1 to 256 characters. */
    keyName: string

    /**
     * Its key, of 1 to 256 characters.
     *
     * @defaultValue a new one
     */
    key?: string | undefined

    /** A second key. */
    secondaryKey?: string | undefined

    /**
     * What it grants.
     *
     * @defaultValue all three
     */
    rights?: Array<'Listen' | 'Send' | 'Manage'> | undefined
  }

  /** A hybrid connection of the local relay. */
  interface RelayEmulatorHybridConnection {
    /** Its path. */
    path: string

    /**
     * Whether senders need a token.
     *
     * @defaultValue `true`
     */
    requiresClientAuthorization?: boolean | undefined

    /** Its own rules, beside those of the namespace. */
    rules?: RelayEmulatorRule[] | undefined
  }

  /** Options of {@link startRelayEmulator}. Times are in milliseconds unless their name says seconds. */
  interface RelayEmulatorOptions {
    /**
     * The address to listen on.
     *
     * @defaultValue `'127.0.0.1'`
     */
    host?: string | undefined

    /**
     * The port to listen on; 0 takes a free one.
     *
     * @defaultValue `0`
     */
    port?: number | undefined

    /**
     * Whether to speak TLS: `true` makes a certificate, an object gives one in PEM form.
     *
     * @defaultValue `false`
     */
    tls?:
      | boolean
      | { cert: string | Buffer; key: string | Buffer }
      /** Where the authority is kept that signs the certificates that are made. */
      | { folder: string }
      | undefined

    /** The port for TLS beside plain connections at `port`; 0 takes a free one. It needs `tls`. */
    tlsPort?: number | undefined

    /**
     * Whether any JSON Web Token is taken that is for Azure Relay and has not ended.
     *
     * @defaultValue `false`
     */
    acceptJwt?: boolean | undefined

    /**
     * Whether the page and the administration over HTTP answer other machines.
     *
     * @defaultValue `false`
     */
    remoteAdmin?: boolean | undefined

    /**
     * Whether there is a page for browsers at `/`.
     *
     * @defaultValue `true`
     */
    ui?: boolean | undefined

    /**
     * The hybrid connections that exist.
     *
     * @defaultValue `['hyco']`
     */
    hybridConnections?: Array<string | RelayEmulatorHybridConnection> | undefined

    /**
     * The rules of the namespace.
     *
     * @defaultValue `RootManageSharedAccessKey` with a new key and all rights
     */
    rules?: RelayEmulatorRule[] | undefined

    /** Further host names that tokens may be signed for. */
    hosts?: string[] | undefined

    /**
     * Scheme, host and port in the addresses that listeners dial.
     *
     * @defaultValue those by which they came
     */
    publicUrl?: string | undefined

    /**
     * How many listeners a hybrid connection may have.
     *
     * @defaultValue `25`
     */
    maxListeners?: number | undefined

    /**
     * How many connections may be open.
     *
     * @defaultValue `16384`
     */
    maxConnections?: number | undefined

    /**
     * The longest frame of a relayed connection that is passed on whole, in bytes. Longer ones are cut
     * into fragments, as Azure does; 0 cuts none.
     *
     * @defaultValue `32768`
     */
    maxFrame?: number | undefined

    /**
     * How long after its end a token still opens a handshake.
     *
     * @defaultValue `0`
     */
    clockSkewSeconds?: number | undefined

    /**
     * For TLS, and for the head of a request.
     *
     * @defaultValue `10000`
     */
    handshakeTimeout?: number | undefined

    /**
     * How long a sender waits for a listener.
     *
     * @defaultValue `30000`
     */
    acceptTimeout?: number | undefined

    /**
     * How long a control channel may outlive its token.
     *
     * @defaultValue `120000`
     */
    renewalGrace?: number | undefined

    /**
     * How long a control channel lives, even with a good token; 0 ends none. Azure ends each about once
     * a day.
     *
     * @defaultValue `86400000`
     */
    channelLifetime?: number | undefined

    /**
     * The pause between two Pongs on a control channel; 0 sends none.
     *
     * @defaultValue `210000`
     */
    keepAliveInterval?: number | undefined

    /**
     * How long the second close frame may take.
     *
     * @defaultValue `60000`
     */
    closeTimeout?: number | undefined

    /**
     * How long a client may take nothing of what it is sent.
     *
     * @defaultValue `60000`
     */
    sendTimeout?: number | undefined

    /**
     * How long a relayed HTTP request may wait for the head of its response.
     *
     * @defaultValue `60000`
     */
    responseTimeout?: number | undefined

    /**
     * Whether a relayed HTTP request keeps its `Host`.
     *
     * @defaultValue `true`
     */
    forwardHost?: boolean | undefined

    /**
     * Whether the rendezvous at which a request was answered is kept for the next request of the same
     * connection; else it is closed with 1000.
     *
     * @defaultValue `false`
     */
    reuseRendezvous?: boolean | undefined

    /** Closes the relay. */
    signal?: AbortSignal | undefined
  }

  /** What went one way through a relayed connection. */
  interface RelayEmulatorTraffic {
    messages: number
    /** Bytes of payload. */
    bytes: number
  }

  /** A hybrid connection of a running relay. */
  interface RelayEmulatorHybridConnectionInfo {
    path: string
    requiresClientAuthorization: boolean
    /** Milliseconds since 1970. */
    createdAt: number
    /** How many listeners are connected. */
    listeners: number
    /** How many senders wait for a listener. */
    pending: number
    /** How many relayed connections are open. */
    connections: number
    /** How many HTTP requests have not ended. */
    requests: number
    /** Whether its frames go into the journal. */
    recorded: boolean
    /** The names of its own rules. */
    rules: string[]
  }

  /** Something that the relay can end. */
  interface RelayEmulatorVictim {
    readonly number: number
    readonly hybridConnection: string
    /** Since when it is open, in milliseconds since 1970. */
    readonly since: number

    /**
     * Closes it with a close frame.
     *
     * @param code - the code
     * @defaultValue 1001
     */
    close(code?: number, reason?: string): void

    /** Loses it, without a close frame. */
    drop(): void
  }

  /** A listener whose control channel is up. */
  interface RelayEmulatorListener extends RelayEmulatorVictim {
    /** Its id, by which senders ask for it. */
    readonly id: string
    /** Its address. */
    readonly remote: string
    /** How many senders it has been told of. */
    readonly announced: number
  }

  /** A relayed connection that is open. */
  interface RelayEmulatorConnection extends RelayEmulatorVictim {
    readonly trackingId: string
    /** The sender's address. */
    readonly sender: string
    /** The listener's address. */
    readonly listener: string
    readonly toListener: RelayEmulatorTraffic
    readonly toSender: RelayEmulatorTraffic
  }

  /** Something that goes wrong on purpose; docs/emulator.md explains each kind. Times are in milliseconds. */
  type RelayEmulatorFault = {
    /** The hybrid connection that is struck; all if it is left out. */
    hybridConnection?: string
    /** How likely it strikes what matches, from 0 to 1. */
    probability?: number
    /** How many times it strikes; without end if it is left out. */
    count?: number
  } & (
    | { kind: 'drop'; on: 'control' | 'connection'; after?: number }
    | {
        kind: 'close'
        on: 'control' | 'connection'
        after?: number
        code?: number
        reason?: string
      }
    | {
        kind: 'blackHole'
        on: 'control' | 'connection'
        direction?: 'toListener' | 'toSender'
        after?: number
        duration?: number
      }
    | {
        kind: 'refuse'
        status: number
        reason?: string
        action?: 'listen' | 'connect' | 'accept' | 'request'
      }
    | { kind: 'delayAccept'; delay: number }
    | { kind: 'swallowAccept' }
    | {
        kind: 'latency'
        delay: number
        jitter?: number
        direction?: 'toListener' | 'toSender'
      }
    | { kind: 'bandwidth'; bytesPerSecond: number; direction?: 'toListener' | 'toSender' }
    | { kind: 'slice'; bytes: number; direction?: 'toListener' | 'toSender' }
    | { kind: 'cutAfter'; bytes: number; direction?: 'toListener' | 'toSender' }
    | { kind: 'timers'; factor: number }
    | { kind: 'clock'; seconds: number }
  )

  /** A handshake that ended well. */
  interface RelayEmulatorHandshake {
    type: 'handshake'
    action: 'listen' | 'connect' | 'accept' | 'request'
    /** The path of the request. */
    path: string
    /** The client's address. */
    remote: string
    /** The id under which the relay knows the request. */
    trackingId: string
    /** How long it took, in milliseconds. */
    duration: number
  }

  /** A request that the relay or a listener has refused. */
  interface RelayEmulatorRefusal {
    type: 'refused'
    action: 'listen' | 'connect' | 'accept' | 'request' | 'http'
    path: string
    remote: string
    trackingId: string
    /** The status of the answer. */
    status: number
    reason: string
    /** What most likely helps. */
    hint?: string
    duration: number
  }

  /** A sender and a listener have met. */
  interface RelayEmulatorPairing {
    type: 'paired'
    /** The number of the relayed connection. */
    connection: number
    hybridConnection: string
    trackingId: string
    /** The sender's address. */
    sender: string
    /** The listener's address. */
    listener: string
  }

  /** An HTTP request that a listener has answered has ended. */
  interface RelayEmulatorAnswer {
    type: 'answered'
    /** The number of the request. */
    request: number
    hybridConnection: string
    method: string
    /** Its path, without the query. */
    path: string
    /** The sender's address. */
    remote: string
    trackingId: string
    status: number
    /** Whether the sender got the whole answer. */
    whole: boolean
    duration: number
    /** Bytes of the request's body. */
    toListener: number
    /** Bytes of the answer's body. */
    toSender: number
  }

  /** A control channel or a relayed connection has ended. */
  interface RelayEmulatorEnd {
    type: 'closed'
    what: 'listener' | 'connection'
    /** The number of the relayed connection. */
    connection?: number
    hybridConnection: string
    trackingId: string
    /** How it ended. */
    reason: string
    duration: number
    /** What a relayed connection carried to its listener. */
    toListener?: RelayEmulatorTraffic
    /** What a relayed connection carried to its sender. */
    toSender?: RelayEmulatorTraffic
  }

  /** A frame of a hybrid connection that is recorded. */
  interface RelayEmulatorFrame {
    type: 'frame'
    /** The number of the relayed connection. */
    connection: number
    /** Where it goes. */
    to: 'listener' | 'sender'
    kind: 'text' | 'binary' | 'continuation' | 'ping' | 'pong' | 'close'
    /** Whether it is the last one of its message. */
    fin: boolean
    /** The length of its payload, in bytes. */
    length: number
    /** The first 256 bytes of its payload, in base64. */
    start: string
  }

  /** The events of a relay by their names. */
  interface RelayEmulatorEventMap {
    handshake: RelayEmulatorHandshake
    refused: RelayEmulatorRefusal
    /** Refusals and warnings beyond 20 in a second are counted only. */
    suppressed: { type: 'suppressed'; refusals: number; warnings: number }
    paired: RelayEmulatorPairing
    answered: RelayEmulatorAnswer
    closed: RelayEmulatorEnd
    /** A fault has struck: its id, its kind, and a path or an id. */
    fault: { type: 'fault'; fault: number; kind: RelayEmulatorFault['kind']; target: string }
    /** Hybrid connections or rules have changed. */
    changed: { type: 'changed'; what: string }
    /** Something deserves attention. */
    warning: { type: 'warning'; message: string; trackingId?: string }
    frame: RelayEmulatorFrame
  }

  /** Something that has happened in the relay. */
  type RelayEmulatorEvent<E extends keyof RelayEmulatorEventMap = keyof RelayEmulatorEventMap> = {
    [Type in E]: RelayEmulatorEventMap[Type] & {
      /** Counts up from 1. */
      serial: number
      /** When, in milliseconds since 1970. */
      time: number
    }
  }[E]

  /** The program was too slow for so many events. */
  interface RelayEmulatorMissed {
    type: 'missed'
    /** How many it did not get. */
    count: number
  }

  /** The names of a relay's events and what their listeners are given. */
  type RelayEmulatorEvents = {
    [E in keyof RelayEmulatorEventMap]: [event: RelayEmulatorEvent<E>]
  } & {
    event: [event: RelayEmulatorEvent | RelayEmulatorMissed]
    missed: [event: RelayEmulatorMissed]

    /** Of `EventEmitter`. */
    newListener: [event: string | symbol, listener: (...args: any[]) => void]

    /** Of `EventEmitter`. */
    removeListener: [event: string | symbol, listener: (...args: any[]) => void]
  }

  /** An HTTP request that a listener was told of and that has not ended. */
  interface RelayEmulatorRequest {
    readonly number: number
    readonly hybridConnection: string
    readonly trackingId: string
    readonly method: string
    /** Its path, without the query. */
    readonly path: string
    /** The sender's address. */
    readonly sender: string
    /** Since when it is there, in milliseconds since 1970. */
    readonly since: number
    /** The status of its answer; `null` while there is none. */
    readonly status: number | null
    /** Bytes of its body that the listener was given. */
    readonly toListener: number
    /** Bytes of the answer's body that the sender was given. */
    readonly toSender: number

    /** Ends it: its sender gets 502, or sees the answer break off. */
    drop(): void
  }

  /**
   * A local relay that is running. It keeps the process alive until it is closed.
   *
   * What happens in it is told by events named as {@link RelayEmulatorEvent.type}, by `'event'` for all
   * of them, and to `for await`.
   */
  interface RelayEmulator
    extends EventEmitter, AsyncIterable<RelayEmulatorEvent | RelayEmulatorMissed> {
    /** What is listened on. */
    readonly address: { address: string; family: 'IPv4' | 'IPv6'; port: number }

    /** What takes the place of a namespace's name, as `ws://127.0.0.1:9400`. */
    readonly namespace: string

    /** The name of the namespace's first rule. */
    readonly keyName: string

    /** The key of that rule. */
    readonly key: string

    /** A connection string with that rule, for the whole namespace. */
    readonly connectionString: string

    /** The same for TLS; `undefined` without it. */
    readonly tlsNamespace: string | undefined

    /** The port of TLS beside plain connections; `undefined` without `tlsPort`. */
    readonly tlsPort: number | undefined

    /** A connection string over TLS, for clients that speak nothing else; `undefined` without TLS. */
    readonly tlsConnectionString: string | undefined

    /** What clients have to trust (`tls.ca`), in PEM form; `undefined` without TLS. */
    readonly certificate: string | undefined

    /** The hybrid connections. */
    hybridConnections(): RelayEmulatorHybridConnectionInfo[]

    /**
     * Creates a hybrid connection.
     *
     * @throws TypeError when there is one of that path, or the path is none
     */
    createHybridConnection(options: string | RelayEmulatorHybridConnection): void

    /**
     * Deletes a hybrid connection: its control channels and relayed sockets are closed with 1001, senders that
     * wait for a listener are answered 404, and HTTP requests without an answer 502.
     *
     * @throws TypeError when there is none of that path
     */
    deleteHybridConnection(path: string): void

    /** The rules of the namespace, or of a hybrid connection. */
    rules(hybridConnection?: string): RelayEmulatorRule[]

    /** Creates a rule; without a key it gets a new one. */
    createRule(rule: RelayEmulatorRule, hybridConnection?: string): RelayEmulatorRule

    /** Deletes a rule. Channels and sockets that are open stay open. */
    deleteRule(keyName: string, hybridConnection?: string): void

    /** The listeners whose control channels are up. */
    listeners(): RelayEmulatorListener[]

    /** The listeners of an event, as any `EventEmitter` lists them. */
    listeners(eventName: string | symbol): Array<(...args: any[]) => void>

    /** The senders that wait for a listener; `waiting` is in milliseconds. */
    pending(): Array<{ trackingId: string; hybridConnection: string; waiting: number }>

    /** The relayed connections that are open. */
    connections(): RelayEmulatorConnection[]

    /** The HTTP requests that a listener was told of and that have not ended. */
    requests(): RelayEmulatorRequest[]

    /**
     * Lets something go wrong from now on, until it is removed or has struck `count` times.
     *
     * @throws TypeError naming the member that cannot be used
     */
    setFault(fault: RelayEmulatorFault): { id: number; remove(): void }

    /** Removes a fault, if it is still there. */
    removeFault(id: number): void

    /** The faults in force, and how often each has struck. */
    faults(): Array<RelayEmulatorFault & { id: number; struck: number }>

    /** Removes all faults. */
    clearFaults(): void

    /** What has happened after the event of that serial, oldest first, as far as it is kept. */
    journal(options?: { since?: number }): RelayEmulatorEvent[]

    /** Lets the frames of a hybrid connection go into the journal. */
    record(hybridConnection: string): void

    /** Numbers in Prometheus' text format. */
    metrics(): string

    /** Between two tests: removes faults and recordings, drops what is connected, empties the journal. */
    reset(): void

    /** Closes control channels and relayed sockets with 1001; resolved when all is down. */
    close(): Promise<void>

    /** Closes it. */
    [Symbol.asyncDispose](): Promise<void>

    on<E extends keyof RelayEmulatorEvents>(
      event: E,
      listener: (this: RelayEmulator, ...args: RelayEmulatorEvents[E]) => void,
    ): this
    once<E extends keyof RelayEmulatorEvents>(
      event: E,
      listener: (this: RelayEmulator, ...args: RelayEmulatorEvents[E]) => void,
    ): this
    off<E extends keyof RelayEmulatorEvents>(
      event: E,
      listener: (this: RelayEmulator, ...args: RelayEmulatorEvents[E]) => void,
    ): this
    addListener<E extends keyof RelayEmulatorEvents>(
      event: E,
      listener: (this: RelayEmulator, ...args: RelayEmulatorEvents[E]) => void,
    ): this
    removeListener<E extends keyof RelayEmulatorEvents>(
      event: E,
      listener: (this: RelayEmulator, ...args: RelayEmulatorEvents[E]) => void,
    ): this
  }

  /**
   * Starts a local relay: the service side of Azure Relay Hybrid Connections, for development and
   * tests.
   *
   * @throws TypeError naming the option that cannot be used
   */
  function startRelayEmulator(options?: RelayEmulatorOptions): Promise<RelayEmulator>

  // Diagnostics.

  /**
   * What `node:diagnostics_channel` carries: the name of each channel, and its messages. `trackingId` is
   * the id under which the relay knows what the message is about.
   */
  interface DiagnosticsMessages {
    /** A control channel is being opened, for the `attempt`-th time since it was up. */
    'hyco-rs:listener:connecting': { server: RelayedServer; attempt: number }

    /** A control channel is up. */
    'hyco-rs:listener:online': { server: RelayedServer; trackingId?: string }

    /** A control channel is down, or could not be opened. */
    'hyco-rs:listener:offline': {
      server: RelayedServer
      trackingId?: string
      attempt: number
      delay: number
      final: boolean
      error: RelayError
    }

    /** A new token was sent on a control channel. */
    'hyco-rs:listener:renewed': { server: RelayedServer }

    /** A server is closed. */
    'hyco-rs:listener:closed': { server: RelayedServer }

    /** A sender is there. */
    'hyco-rs:accept:asked': { server: RelayedServer; trackingId: string; request: RelayedRequest }

    /** A sender is met. */
    'hyco-rs:accept:accepted': {
      server: RelayedServer
      trackingId: string
      request: RelayedRequest
      socket: RelayedSocket
    }

    /** A sender is refused; `error` says why if it was the fault of this side. */
    'hyco-rs:accept:rejected': {
      server: RelayedServer
      trackingId: string
      request: RelayedRequest
      statusCode: number
      reason: string
      error?: RelayError
    }

    /** A sender could not be met, or not be told of its refusal; it may have left. */
    'hyco-rs:accept:failed': {
      server: RelayedServer
      trackingId: string
      request: RelayedRequest | null
      error: RelayError
    }

    /** A socket of a server, which is `server`, or of {@link relayedConnect} is open. */
    'hyco-rs:socket:open': { server?: RelayedServer; socket: RelayedSocket; trackingId?: string }

    /** A socket that was open is closed. */
    'hyco-rs:socket:close': {
      server?: RelayedServer
      socket: RelayedSocket
      trackingId?: string
      code: number
      reason: string
    }

    /** A server of this process has got an HTTP request. */
    'hyco-rs:request:start': RequestInfo & { server: RelayedServer }

    /**
     * An HTTP request is over, after `duration` milliseconds. One that was passed on by
     * {@link RelayedServer.forward} has `method`, `url` and `statusCode` instead of its sender.
     */
    'hyco-rs:request:end': Partial<RequestInfo> & {
      server: RelayedServer
      duration: number
      method?: string
      url?: string
      statusCode?: number
    }

    /** An HTTP request was not served, as `'requestError'` tells. */
    'hyco-rs:request:error': Partial<RequestInfo> & { server: RelayedServer; error: RelayError }

    /**
     * A line of the native side's log, about a server, a socket, a local relay of this process, or none.
     * Its texts are for people, and may change with any version; secrets are hidden in them.
     */
    'hyco-rs:log': {
      server?: RelayedServer
      socket?: RelayedSocket
      relay?: RelayEmulator
      trackingId?: string
      level: 'error' | 'warn' | 'info' | 'debug'
      target: string
      message: string
      fields: Record<string, string>
    }
  }

  // Errors.

  /** The codes of this package's errors; docs/errors.md explains each. */
  type RelayErrorCode =
    | 'HYCO_ERR_BAD_ANSWER'
    | 'HYCO_ERR_BAD_REQUEST'
    | 'HYCO_ERR_BUSY'
    | 'HYCO_ERR_CLOSED'
    | 'HYCO_ERR_CONNECT'
    | 'HYCO_ERR_CONNECTION_LOST'
    | 'HYCO_ERR_EMULATOR_BIND'
    | 'HYCO_ERR_ENDPOINT_NOT_FOUND'
    | 'HYCO_ERR_HANDLER'
    | 'HYCO_ERR_INTERNAL'
    | 'HYCO_ERR_INVALID_ADDRESS'
    | 'HYCO_ERR_INVALID_ARGUMENT'
    | 'HYCO_ERR_INVALID_CONNECTION_STRING'
    | 'HYCO_ERR_INVALID_HEADER'
    | 'HYCO_ERR_INVALID_OPTION'
    | 'HYCO_ERR_INVALID_PROTOCOL'
    | 'HYCO_ERR_INVALID_REJECTION'
    | 'HYCO_ERR_INVALID_TLS'
    | 'HYCO_ERR_INVALID_TOKEN'
    | 'HYCO_ERR_NATIVE_BINDING'
    | 'HYCO_ERR_NO_LISTENER'
    | 'HYCO_ERR_PROTOCOL'
    | 'HYCO_ERR_PROXY'
    | 'HYCO_ERR_QUOTA'
    | 'HYCO_ERR_REJECTED'
    | 'HYCO_ERR_SENDER_GONE'
    | 'HYCO_ERR_TIMEOUT'
    | 'HYCO_ERR_TLS'
    | 'HYCO_ERR_TOKEN'
    | 'HYCO_ERR_TOO_MANY_REQUESTS'
    | 'HYCO_ERR_UNAUTHORIZED'
    | 'HYCO_ERR_UNAVAILABLE'

  /** An error of the relay or of the way to it. Tokens and keys are never in it. */
  interface RelayError extends Error {
    /** The stable code. */
    code: RelayErrorCode

    /** The HTTP status that the relay, or through it the listener, or a proxy on the way answered. */
    statusCode?: number

    /** The reason phrase of that answer, as it came. */
    reason?: string

    /** The id under which the relay knows the request. */
    trackingId?: string

    /** What to do, where the cause is commonly known; the message ends with it. */
    hint?: string

    /** How the relay closed the control channel. */
    closeCode?: number

    /** The failure behind it. */
    cause?: unknown
  }
}

export = WebSocket
