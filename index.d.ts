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
/** A socket, by a name that the namespace does not hide. */
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
  /** A socket, for named imports. */
  type WebSocket = WebSocketInstance

  /** Reads and writes `Sec-WebSocket-Extensions`, as ws exports it. */
  const extension: {
    /** Makes the header of extensions and their parameters. */
    format(extensions: object): string
    /** Reads the header: the parameters of each extension, by its name. */
    parse(header: string): Record<string, object[]>
  }

  /** Reads `Sec-WebSocket-Protocol`, as ws exports it. */
  const subprotocol: {
    /** Reads the header: the names that it lists. */
    parse(header: string): Set<string>
  }

  /** A part of ws, exported as ws exports it and documented by neither. */
  const PerMessageDeflate: unknown

  /** A part of ws, exported as ws exports it and documented by neither. */
  const Receiver: unknown

  /** A part of ws, exported as ws exports it and documented by neither. */
  const Sender: unknown

  // Tokens.

  /**
   * A credential, such as those of `@azure/identity`. Any object with this method is taken for one.
   */
  interface TokenCredential {
    /**
     * Gives an access token.
     *
     * @param scopes What the token is for: the option `tokenScope`
     */
    getToken(scopes: string | string[]): Promise<{
      /** The token. */
      token: string
      /** When it ends, in milliseconds since 1970. */
      expiresOnTimestamp?: number
      /** From when on another one should be asked for, in milliseconds since 1970. */
      refreshAfterTimestamp?: number
    } | null>
  }

  /**
   * Gives a token, or a promise of one. It is called each time before the control channel is opened,
   * and again before the token ends. If it throws, the failure is reported as `HYCO_ERR_TOKEN` with the
   * thrown error as `cause`, and the function is asked again later.
   */
  type TokenFunction = () => string | Promise<string>

  // The listening side.

  /** The request that a sender made to the relay. It has no body, and has ended already. */
  interface RelayedRequest extends IncomingMessage {
    /** The id of this connection. The sender and the relay know it by the same id. */
    readonly trackingId: string

    /** Always `GET`. */
    method: string

    /** The path and query that the sender asked for, without `/$hc` and without `sb-hc-` parameters. */
    url: string
  }

  /**
   * The subprotocols that a sender offers. This is an array that has the methods of a set, too. Where
   * both have a method of the same name, the array's is there.
   */
  type OfferedProtocols = string[] & Set<string>

  /**
   * The second argument of `handleProtocols`. You can call it, as with hyco-ws, or read it as the
   * request, as with ws 8.
   *
   * @param ok Whether to accept the sender; if not, it is refused with 401 `Unauthorized`
   * @param protocol The subprotocol to answer with
   */
  type ProtocolResponder = RelayedRequest & ((ok: boolean, protocol?: string) => void)

  /**
   * Chooses the subprotocol. It is called for every sender, also for one that offers none.
   *
   * If it returns a string, that is the choice; `false`, `null` and `''` choose none. It may also return
   * a promise of these. A handler with two parameters that returns `undefined` (or a promise of it)
   * decides by calling the second argument, at once or later; if it does not within `acceptTimeout`, the
   * sender is refused with 501. If the choice is a protocol that was not offered, the sender is refused
   * with 502.
   */
  type HandleProtocols = (
    protocols: OfferedProtocols,
    respond: ProtocolResponder,
  ) => string | false | null | undefined | void | Promise<string | false | null | undefined | void>

  /** What `verifyClient` is told about a sender. */
  interface ClientInfo {
    /** The header `Origin`, or `undefined` if there is none. */
    origin: string

    /** Whether the connection to the relay is encrypted. */
    secure: boolean

    /** The sender's request. */
    req: RelayedRequest
  }

  /**
   * Decides whether to accept a sender. A function with one parameter returns the decision, or a promise
   * of it. A function with two parameters passes it to `callback`.
   *
   * A refused sender gets `code` as the status (401 by default) and `message` as the reason (by default
   * the standard phrase of the status). The relay cannot carry `headers`. If the handler throws, the
   * sender is refused with 502, and the exception becomes an uncaught one.
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
    /** The certificate authorities to trust, in PEM form. They replace those that Node trusts. */
    ca?: string | Buffer | Array<string | Buffer> | undefined

    /** The client's certificate chain, in PEM form. */
    cert?: string | Buffer | undefined

    /** The private key of `cert`, in PEM form. */
    key?: string | Buffer | undefined

    /** The passphrase of `key`, if that is encrypted. */
    passphrase?: string | undefined

    /**
     * Whether the relay must prove who it is.
     *
     * @defaultValue `true`, unless the variable NODE_TLS_REJECT_UNAUTHORIZED is `0`
     */
    rejectUnauthorized?: boolean | undefined

    /** The name that the relay's certificate must be for. By default it is the host of the address. */
    servername?: string | undefined
  }

  /** Options of every relayed socket. */
  interface SocketOptions {
    /**
     * Whether several `'message'`, `'ping'` and `'pong'` events may be emitted in the same tick.
     *
     * @defaultValue `true`
     */
    allowSynchronousEvents?: boolean | undefined

    /**
     * Whether the socket answers pings by itself.
     *
     * @defaultValue `true`
     */
    autoPong?: boolean | undefined

    /**
     * How many milliseconds the closing handshake may take. Then the connection is dropped.
     *
     * @defaultValue `30000`
     */
    closeTimeout?: number | undefined

    /**
     * After so many milliseconds without a sign of life the other end is sent a ping; 0 sends none.
     * After two such intervals the other end is taken for lost: the socket emits `'error'` with
     * `HYCO_ERR_CONNECTION_LOST` and closes with 1006. Everything that is received is a sign of life, and
     * so is the progress of an upload. A ping has to wait behind what you have sent. If the other end
     * pauses for two intervals while you send to it, it is therefore taken for lost, too; choose a longer
     * interval where that may happen. A server uses the interval for its control channel as well.
     *
     * @defaultValue `30000`
     */
    keepAliveInterval?: number | undefined

    /**
     * How many fragments one message may have; 0 means no limit.
     *
     * @defaultValue `16384`
     */
    maxFragments?: number | undefined

    /**
     * How many bytes one message may have; 0 means no limit. A larger one closes the socket with 1009.
     *
     * @defaultValue `104857600` (100 MiB)
     */
    maxPayload?: number | undefined

    /**
     * How many answers to pings may wait to be written; 0 means no limit.
     *
     * @defaultValue `60`
     */
    maxPendingAutoPongs?: number | undefined

    /** This is accepted for programs that were written for ws. The relay cannot carry compressed messages. */
    perMessageDeflate?: boolean | object | undefined

    /**
     * The proxy through which the relay is reached, for the control channel, for accepted connections and
     * for senders. Give the `http:` or `https:` URL of an HTTP proxy that knows CONNECT, or a `socks5:`
     * URL. User and password belong into the URL. The proxy resolves names. `false` means no proxy,
     * whatever the environment says.
     *
     * @defaultValue The variables of the environment when the server or socket is made: HTTPS_PROXY, or
     * else ALL_PROXY, for a `wss:` address, and ALL_PROXY for a `ws:` address. Their names may be in lower
     * case. Hosts in NO_PROXY are reached without a proxy.
     */
    proxy?: string | URL | false | undefined

    /**
     * Whether to skip the check that text messages are valid UTF-8.
     *
     * @defaultValue `false`
     */
    skipUTF8Validation?: boolean | undefined

    /**
     * The scope, or scopes, for which a {@link TokenCredential} is asked.
     *
     * @defaultValue `'https://relay.azure.net/.default'`
     */
    tokenScope?: string | string[] | undefined
  }

  /** What a function that you give as `reconnect` is told before each try. */
  interface ReconnectInfo {
    /** How many tries there were since the control channel was last up. */
    attempt: number

    /** How many milliseconds the schedule would wait. */
    delay: number

    /** Why the control channel is down. */
    error: RelayError
  }

  /** When to try to come back. */
  interface ReconnectSchedule {
    /**
     * The milliseconds to wait before the first try after a failure, the second, and so on. The last
     * number is used for all further tries.
     *
     * @defaultValue `[0, 150, 1000, 2000, 5000, 10000, 30000]`
     */
    delays?: number[] | undefined

    /**
     * By which share, from 0 to 1, a delay may be lengthened at random, from the second try on. It keeps
     * many servers from coming back at the same moment.
     *
     * @defaultValue `0.2`
     */
    jitter?: number | undefined
  }

  /** The options of a {@link RelayedServer} that do not say where to listen. */
  interface RelayedServerSettings extends SocketOptions {
    /**
     * How many milliseconds the rendezvous with a sender may take, and how many a `verifyClient` or
     * `handleProtocols` that answers later has.
     *
     * @defaultValue `20000`
     */
    acceptTimeout?: number | undefined

    /**
     * Whether `clients` has the open sockets, so that `close()` closes them.
     *
     * @defaultValue `true`
     */
    clientTracking?: boolean | undefined

    /**
     * Serves relayed HTTP requests. It is called for each of them and returns a `Response`, or a promise of
     * one. If it throws or rejects, the sender is answered with 500, and the error becomes an unhandled
     * rejection. A rejection that only says that the request has ended, since the sender left for example, is
     * ignored; another one after that end is told by `'requestError'`.
     *
     * @defaultValue `null`: see {@link RelayedServer.attach} and the event `'request'`
     */
    fetch?:
      ((request: Request, info: RequestInfo) => Response | Promise<Response>) | null | undefined

    /**
     * A server that serves relayed HTTP requests, as if you had called {@link RelayedServer.attach}.
     *
     * @defaultValue `null`
     */
    httpServer?: HttpServer | HttpsServer | null | undefined

    /**
     * How many relayed HTTP requests and upgrades may wait for their answer at a time. Further ones are
     * answered with 503.
     *
     * @defaultValue `1024`
     */
    maxRequests?: number | undefined

    /**
     * How many milliseconds the head of a response may take; 0 means no limit. Then the sender is answered
     * with 504. Azure itself waits for 60 s.
     *
     * @defaultValue `60000`
     */
    responseTimeout?: number | undefined

    /**
     * A small response goes by the control channel, which is quicker than a connection of its own. When a
     * response has begun, the server waits for its end for so many milliseconds, and then streams it. It
     * never waits for the end of an event stream.
     *
     * @defaultValue `50`
     */
    responseFlushDelay?: number | undefined

    /**
     * How several cookies of one response are sent to the relay, whose format has one value for each
     * name. `'variants'` spells the name in different letters (`Set-Cookie`, `set-cookie`, …). `'array'`
     * sends an array, which the local relay reads. `'first'` sends the first cookie alone, as hyco-https
     * does.
     *
     * @defaultValue `'variants'`
     */
    setCookie?: 'variants' | 'array' | 'first' | undefined

    /**
     * Whether the path of the hybrid connection is cut off the URL of a request. `/hyco/a` then becomes
     * `/a`, and the header `X-Forwarded-Prefix` says `/hyco`.
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
     * The tracking id of this listener, which is sent as `sb-hc-id`. It should be a GUID.
     *
     * @defaultValue the id in the address, or else a new GUID
     */
    id?: string | null | undefined

    /** The name of `keepAliveInterval` in hyco-https. */
    keepAliveTimeout?: number | undefined

    /** This is accepted for programs that were written for hyco-ws. It has no effect. */
    backlog?: number | null | undefined

    /** This is accepted for programs that were written for hyco-ws. It has no effect. */
    disableHixie?: boolean | undefined

    /**
     * How many connections to accepted senders may be opening at a time. Further senders are refused with
     * 503, and `'acceptError'` is emitted with `HYCO_ERR_BUSY`.
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
     * How many milliseconds the control channel may take to open, with the wait for a token.
     *
     * @defaultValue `60000`
     */
    openTimeout?: number | undefined

    /**
     * When to come back after a failure. `true` uses the usual schedule, `false` never comes back, and an
     * object is a schedule of your own. A function is asked before every try: if it returns `false`, the
     * server stops; a number is the milliseconds to wait; anything else keeps to the schedule. It may
     * also return a promise of these.
     *
     * @defaultValue `true`
     */
    reconnect?:
      | boolean
      | ReconnectSchedule
      | ((info: ReconnectInfo) => boolean | number | void | Promise<boolean | number | void>)
      | undefined

    /** The server closes when this signal is aborted. */
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

    /** A token, or something that gives tokens. A string, or a promise of one, cannot be renewed. */
    token: string | Promise<string> | TokenFunction | TokenCredential

    /** Passed over, with a warning, beside a `token`. */
    keyName?: string | null | undefined
    /** Passed over beside a `token`. */
    key?: string | null | undefined
    /** Not beside `server`. */
    connectionString?: null | undefined
    /** What `path` of the server shows; by default the hybrid connection of the address. */
    path?: string | null | undefined
  }

  /** A {@link RelayedServer} that is given a listen URI and signs its own tokens. */
  interface KeyServerOptions extends RelayedServerSettings {
    /** The listen URI, as {@link createRelayListenUri} makes it. */
    server: string | URL

    /** The name of a rule that grants the right to listen. */
    keyName: string

    /** A key of that rule, as text or as its bytes. */
    key: string | Uint8Array

    /** Not beside a rule and its key. */
    token?: null | undefined
    /** Not beside `server`. */
    connectionString?: null | undefined
    /** What `path` of the server shows; by default the hybrid connection of the address. */
    path?: string | null | undefined
  }

  /** A {@link RelayedServer} that is given a connection string. */
  interface ConnectionStringServerOptions extends RelayedServerSettings {
    /**
     * `Endpoint=sb://…;SharedAccessKeyName=…;SharedAccessKey=…[;EntityPath=…]`. It may be a variable of the
     * environment: one that is not set throws a `TypeError` that says so.
     */
    connectionString: string | undefined

    /** The path of the hybrid connection, if the string has no `EntityPath`; otherwise the same as that. */
    path?: string | null | undefined

    /** A token, or something that gives tokens, to be used instead of the key in the string. */
    token?: string | Promise<string> | TokenFunction | TokenCredential | null | undefined

    /** Not beside a connection string. */
    server?: null | undefined
    /** The string has it. */
    keyName?: null | undefined
    /** The string has it. */
    key?: null | undefined
  }

  /** Options of a {@link RelayedServer}. */
  type RelayedServerOptions = TokenServerOptions | KeyServerOptions | ConnectionStringServerOptions

  /**
   * The options of a server as it shows them: all of them, with the defaults filled in. Secrets can be
   * read, but are not enumerated. Options that ws has by the same name with another meaning are `any`.
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
    /** Of ws; nothing here uses it. */
    readonly backlog: any
    /** The connection string; not enumerated. */
    readonly connectionString: string | null
    /** What chooses the subprotocol, or `null`. */
    readonly handleProtocols: any
    /** The key; not enumerated. */
    readonly key: string | Uint8Array | null
    /** The name of the rule. */
    readonly keyName: string | null
    /** The path of the hybrid connection, as it was given. */
    readonly path: any
    /** Of ws; the relay carries no extension. */
    readonly perMessageDeflate: any
    /** The listen URI. */
    readonly server: any
    /** The signal that closes the server. */
    readonly signal?: AbortSignal
    /** The TLS options. */
    readonly tls?: TlsOptions
    /** The token, or what gives tokens; not enumerated. */
    readonly token: any
    /** What a credential is asked for. */
    readonly tokenScope?: string | string[]
    /** What decides about senders, or `null`. */
    readonly verifyClient: any
  }

  /**
   * The open sockets of a server. This is an array that has the methods of a set, too. `forEach` works as
   * that of a set, while `keys` and `entries` are those of the array. When a socket is removed, the last
   * one moves into its place, so the order is not that of arrival.
   */
  type Clients = Set<RelayedSocket> & RelayedSocket[]

  /** The events of a {@link RelayedControlChannel}. */
  interface RelayedControlChannelEvents {
    /** The control channel is up. */
    open: []

    /** The control channel is down, or could not be opened, for this reason. */
    error: [error: RelayError]

    /** The control channel is down, or could not be opened. */
    close: [code: number, reason: string]
  }

  /** The control channel of a server. With hyco-ws it is a WebSocket; here you can only watch it. */
  interface RelayedControlChannel extends EventEmitter {
    /** `CONNECTING`, `OPEN`, `CLOSING` or `CLOSED`, with the numbers of ws. */
    readonly readyState: 0 | 1 | 2 | 3
    /** It is being opened, or will be. */
    readonly CONNECTING: 0
    /** It is up. */
    readonly OPEN: 1
    /** It is being closed. */
    readonly CLOSING: 2
    /** It is down, and will not be opened again. */
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

    /** `'IPv4'` or `'IPv6'`, or an empty string if `address` is a name. */
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

    /** Senders that you accepted, but that could not be met. */
    failed: number

    /** Senders that left before they were met. That is no error. */
    abandoned: number

    /** Sockets that are open now. */
    active: number

    /** Senders that wait for a decision or for their rendezvous now. */
    pending: number

    /** How often the control channel came back. */
    reconnects: number

    /** HTTP requests and upgrades that have come. */
    requests: number

    /** HTTP requests and upgrades that are open now. */
    activeRequests: number

    /** HTTP requests that were not served. `'requestError'` was emitted for each of them. */
    failedRequests: number

    /**
     * Gives the same numbers in the text format of Prometheus. Counters have names such as
     * `hyco_accepted_total`, and numbers that go up and down have names such as `hyco_active`. The label
     * `path` is the hybrid connection. `hyco_online` says whether the control channel is up. This method
     * is not enumerable.
     *
     * @param others The metrics of other servers of the process; those with the same path are summed up
     * @throws TypeError for an argument that does not come from `metrics()`
     */
    prometheus(...others: RelayedServerMetrics[]): string
  }

  /** What is known of the sender of an HTTP request. */
  interface RequestInfo {
    /** The id under which the service knows the request. It is empty if the request could not be read. */
    trackingId: string

    /** The sender's IP address, as the relay saw it. */
    remoteAddress?: string

    /** The sender's port. */
    remotePort?: number
  }

  /** The events of a {@link RelayedServer} and what their listeners are given. */
  interface RelayedServerEvents {
    /** The control channel is being opened, for the `attempt`-th time since it was up. */
    connecting: [
      info: {
        /** Counts the attempts since the control channel was up. */
        attempt: number
      },
    ]

    /** The control channel is up. */
    online: [
      info: {
        /** The id under which the relay knows it. */
        trackingId?: string
      },
    ]

    /**
     * The control channel is down, or could not be opened. `error` says why. The next try comes in `delay`
     * milliseconds, unless `final` is true: then there is none.
     */
    offline: [
      info: {
        /** Counts the attempts since the control channel was up. */
        attempt: number
        /** Milliseconds until the next attempt. */
        delay: number
        /** Whether there will be no further attempt. */
        final: boolean
        /** What went wrong. */
        error: RelayError
      },
    ]

    /** The control channel is up. It follows each `'online'`. */
    listening: []

    /**
     * The token ends in `left` milliseconds, and cannot be renewed because you gave it as a string. This
     * is emitted once, together with a warning by `process.emitWarning`.
     */
    tokenExpiring: [
      info: {
        /** Milliseconds until it ends. */
        left: number
      },
    ]

    /**
     * A sender is about to be accepted. You can change, add or remove the line that begins with
     * `Sec-WebSocket-Protocol:`. Other lines that you add go to the relay with the accept handshake. If a
     * line cannot be sent, the sender is refused with 502.
     */
    headers: [headers: string[], request: RelayedRequest]

    /** The socket of a sender is open. Right after this event the socket emits `'open'`. */
    connection: [socket: RelayedSocket, request: RelayedRequest]

    /**
     * A sender could not be met, or was refused because of a mistake on this side. `request` is `null` if
     * the relay could not be told of a refusal. The server goes on.
     */
    acceptError: [error: RelayError, request: RelayedRequest | null]

    /**
     * A sender's HTTP request, if no server is attached and there is no `fetch`. If a listener throws, or
     * returns a promise that rejects, the request is answered with 500. A rejection that only says that the
     * request has ended, since the sender left for example, is ignored.
     */
    request: [
      request: IncomingMessage & {
        /** The id under which the relay knows it. */
        trackingId: string
      },
      response: ServerResponse,
    ]

    /**
     * A request that {@link RelayedServer.forward} passed on was answered. `statusCode` is 0 if the sender
     * left before that. `duration` is in milliseconds.
     */
    forwarded: [
      info: {
        /** The method of the request. */
        method: string
        /** The path and query of the request. */
        url: string
        /** The HTTP status. */
        statusCode: number
        /** How long it took, in milliseconds. */
        duration: number
      },
    ]

    /**
     * An HTTP request was not served, or not to its end: it could not be read, nobody answered in time,
     * there were too many requests, or its response could not be relayed. It is also emitted if `fetch` or a
     * `'request'` listener fails after its request has ended, and for a sender's handshake that has headers
     * which HTTP does not allow. The server goes on.
     */
    requestError: [error: RelayError, info: RequestInfo]

    /**
     * The control channel is down, could not be opened, or its token could not be renewed. Where the
     * control channel is concerned, it follows `'offline'`. If you add no `'error'` listener, the server
     * throws only when it cannot start: when a failure before the first `'listening'` cannot be expected to
     * pass. If you listen neither for `'error'` nor for `'offline'`, you are told of other failures by
     * `process.emitWarning`.
     */
    error: [error: RelayError]

    /** Everything is down, after {@link RelayedServer.close} or because of `closeRequested`. It comes once. */
    close: [server: RelayedServer]

    /** Of `EventEmitter`. */
    newListener: [event: string | symbol, listener: (...args: any[]) => void]

    /** Of `EventEmitter`. */
    removeListener: [event: string | symbol, listener: (...args: any[]) => void]
  }

  /** What a server does at the moment. `'offline'` is between two tries, or for good. */
  type RelayedServerStatus = 'connecting' | 'online' | 'offline' | 'closing' | 'closed'

  /**
   * A server that listens at a relay.
   *
   * Its events come in this order. First comes `'connecting'`. If the control channel opens, `'online'` and
   * `'listening'` follow. If it does not open, or is lost later, `'offline'` and `'error'` follow, and after
   * a pause `'connecting'` again. For each sender `'headers'` comes, then `'connection'` or
   * `'acceptError'`. `'close'` is the last event.
   */
  interface RelayedServer extends EventEmitter {
    /** All options, with the defaults filled in. Secrets can be read, but are not enumerated. */
    readonly options: RelayedServerShownOptions

    /** The path of the hybrid connection, or what you gave as the option `path`. */
    readonly path: string

    /** The address at which it listens. */
    readonly listenUri: string

    /** The open sockets. */
    readonly clients: Clients

    /**
     * Whether the control channel will not be opened again. If you set it to `true`, a server that is
     * online stays online until it loses its control channel, and a server that is offline ends at once.
     * `'close'` follows, and open sockets stay open.
     */
    closeRequested: boolean

    /** What it does at the moment. */
    readonly status: RelayedServerStatus

    /** The control channel, which you can watch. */
    readonly controlChannel: RelayedControlChannel

    /** Where it listens, or `null` when it is closed. */
    address(): RelayedAddress | null

    /**
     * Lets that server serve relayed HTTP requests. It need not listen, but may. Senders of WebSockets meet
     * its `'upgrade'` listeners, unless this server has `'connection'` listeners.
     *
     * @param server A server of `node:http` or `node:https`, or one that a framework has made of it
     * @throws TypeError if something serves requests already
     */
    attach(server: HttpServer | HttpsServer): this

    /** Stops serving requests by the attached server. Requests that are open stay with it. */
    detach(): this

    /**
     * Passes relayed HTTP requests on to a server elsewhere, outside the JavaScript thread. Senders of
     * WebSockets are passed on, too, unless there are `'connection'` listeners. Connections to that server
     * are kept for further requests. The headers `X-Forwarded-For` and `X-Forwarded-Proto` tell it of the
     * sender. If it cannot be reached, the sender is answered with 502.
     *
     * @param target A port of this machine, `host:port`, or `http(s)://host:port`
     * @param options.host A value for the header `Host`, in place of the sender's
     * @param options.tls Whom to trust, if the target is an `https:` URL
     * @throws TypeError if something serves requests already, or for a target that cannot be used
     */
    forward(
      target: number | string | URL,
      options?: {
        /** A value for the header `Host`, in place of the sender's. */
        host?: string | undefined
        /** Whom to trust, if the target is an `https:` URL. */
        tls?: TlsOptions | undefined
      },
    ): this

    /**
     * Stops accepting senders, closes the tracked sockets and the control channel with 1000, and gives up
     * the HTTP requests that are open. You may call it again.
     *
     * @param callback Called when everything is down
     * @returns A promise that is fulfilled when everything is down
     */
    close(callback?: () => void): Promise<void>

    /**
     * Stops accepting senders, waits until the open sockets and HTTP requests have ended, and then closes.
     *
     * @param options.timeout How many milliseconds to wait before they are ended; by default there is no
     *   limit
     * @param options.signal When this signal is aborted, they are ended as well
     * @returns Whether all of them ended by themselves
     */
    drain(options?: {
      /** How many milliseconds to wait before they are ended; by default there is no limit. */
      timeout?: number
      /** When this signal is aborted, they are ended as well. */
      signal?: AbortSignal | undefined
    }): Promise<boolean>

    /** What the server has counted since its start. */
    metrics(): RelayedServerMetrics

    /** Keeps the process alive while the server listens. This is the default. */
    ref(): this

    /** Lets the process end although the server listens. */
    unref(): this

    /**
     * The sockets of senders, for `for await`.
     *
     * A socket that the loop has not taken yet is paused, so that none of its messages is lost. When it is
     * taken it reads: listen to it, or pause it, before you wait for anything else. The loop ends when the server is closed. If the server cannot listen, the loop throws the reason. When
     * you leave the loop, the server stays open, and the sockets that wait are closed with 1013.
     */
    [Symbol.asyncIterator](): AsyncIterableIterator<RelayedSocket>

    /** Closes the server. The promise is fulfilled when everything is down. */
    [Symbol.asyncDispose](): Promise<void>

    /** Whether a request of an HTTP server may be upgraded here. It never may: senders come from the relay. */
    shouldHandle(request: IncomingMessage): false

    /**
     * Always throws, since there is no HTTP server here whose upgrades could be handled.
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

  /** The class {@link RelayedServer}. You may leave out `new`. */
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
    /** What all servers inherit. */
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
    /** The socket is open. */
    open: []

    /** A message has come. */
    message: [data: RawData, isBinary: boolean]

    /** A ping has come. It was answered, unless `autoPong` is off. */
    ping: [data: Buffer]

    /** A pong has come. */
    pong: [data: Buffer]

    /** The socket could not be opened, was lost, or the other side broke the protocol. `'close'` follows. */
    error: [error: RelayedSocketError]

    /** The socket is closed. */
    close: [code: number, reason: Buffer]

    /** The relay has answered 101. */
    upgrade: [response: IncomingMessage]

    /** The relay, or through it the listener, has refused. If you listen for this, there is no `'error'`. */
    'unexpected-response': [request: HandshakeRequest, response: IncomingMessage]

    /** Of `EventEmitter`. */
    newListener: [event: string | symbol, listener: (...args: any[]) => void]

    /** Of `EventEmitter`. */
    removeListener: [event: string | symbol, listener: (...args: any[]) => void]
  }

  /**
   * An error of a socket. It is a {@link RelayError} if the socket could not be opened or was lost, or else
   * an error of ws, whose code begins with `WS_ERR_`.
   */
  interface RelayedSocketError extends Error, Partial<Omit<RelayError, keyof Error | 'code'>> {
    /** The stable code. */
    code?: RelayErrorCode | (string & {})
  }

  /**
   * A WebSocket through the relay. {@link relayedConnect} returns one, and `'connection'` gives one.
   * Everything that ws documents about its `WebSocket` holds, except that nothing is ever compressed.
   */
  class RelayedSocket extends WebSocketClass {
    private constructor()

    /**
     * The messages as a web stream. Text comes as strings, everything else as `'message'` gives it.
     *
     * The socket is paused while nobody reads. The stream ends with the connection. It fails with the
     * error of the socket, or with `HYCO_ERR_CONNECTION_LOST` if there was no closing handshake. If you
     * cancel it, the socket is closed with 1000. The stream takes the messages from its first use on.
     */
    readonly readable: ReadableStream<RelayedChunk>

    /**
     * A web stream that sends each chunk as a message; strings are sent as text.
     *
     * A writer has to wait while more than 64 KiB are not written out. If you close the stream, the socket
     * is closed with 1000, and the stream waits for that. If you abort it, the socket is terminated. The
     * stream fails when the socket does.
     */
    readonly writable: WritableStream<RelayedChunk>;

    /**
     * The messages, for `for await`, as {@link readable} gives them. The socket is paused while the loop is
     * slower than the peer. When you leave the loop, the socket stays open, and what had come and was not
     * taken waits for the next loop. Several loops get all messages each, as fast as the slowest takes them.
     */
    [Symbol.asyncIterator](): AsyncIterableIterator<RelayedMessage>

    /** Closes the socket with 1000. The promise is fulfilled when it is closed. */
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
   * A message. Text is a string. Everything else is what the `binaryType` of the socket says, by default a
   * Buffer. Fragments are put together.
   */
  type RelayedMessage = string | Buffer | ArrayBuffer | Blob

  /** What the streams of a socket carry: a {@link RelayedMessage}, or other bytes to send. */
  type RelayedChunk = string | Uint8Array | ArrayBuffer | Blob

  /** Options of {@link relayedConnect}. */
  interface RelayedConnectOptions extends SocketOptions, Omit<TlsOptions, 'key'> {
    /** The tracking ids of the listeners that the relay may choose. */
    allowedListeners?: string | string[] | null | undefined

    /** Names the relay and the key. If it has no `EntityPath`, `path` names the hybrid connection. */
    connectionString?: string | null | undefined

    /** A credential that gives tokens. */
    credential?: TokenCredential | null | undefined

    /** The tracking ids of the listeners that the relay may not choose. */
    disallowedListeners?: string | string[] | null | undefined

    /** A key of the rule `keyName`. Without `keyName`, the private key of `cert`, in PEM form. */
    key?: string | Uint8Array | undefined

    /** The name of a rule that grants the right to send. */
    keyName?: string | null | undefined

    /**
     * Beside `connectionString`: the hybrid connection, and what the listener is to see after it, such as
     * `'hyco/chat?room=1'`. With an `EntityPath` it begins with that, and `'?room=1'` adds a query alone.
     */
    path?: string | null | undefined

    /** What may also stand before the options: a token, or what gives one. */
    token?: string | Promise<string> | TokenFunction | TokenCredential | null | undefined

    /**
     * How many milliseconds the socket may take to open, with the wait for a token; 0 means no limit.
     *
     * @defaultValue `70000`
     */
    handshakeTimeout?: number | undefined

    /** Headers to send, which the listener sees. */
    headers?: Record<string, string | number | string[] | undefined> | undefined

    /** The tracking id of this connection, which is sent as `sb-hc-id`. It should be a GUID. */
    id?: string | undefined

    /** The value of the header `Origin`. */
    origin?: string | undefined

    /** The subprotocols to offer. */
    protocols?: string | string[] | undefined

    /**
     * When this signal is aborted, a socket that is connecting is given up, and its `'error'` is an
     * `AbortError`. A socket that is open is terminated.
     */
    signal?: AbortSignal | undefined

    /** TLS options, for `wss:` addresses. You may also give them among the other options, as in ws. */
    tls?: TlsOptions | undefined
  }

  /**
   * Connects to a listener through the relay.
   *
   * The socket is returned while it is connecting. If it cannot be opened, it emits `'error'` with a
   * {@link RelayError}, and then `'close'` with 1006.
   *
   * @param address The send URI, as {@link createRelaySendUri} makes it, or `null` if the option
   *   `connectionString` names the relay
   * @param token What proves the right to send. Leave it out where senders need no token. The options may
   *   stand in its place
   * @param fn Called with the socket when it is open
   * @throws SyntaxError for an address or subprotocol that cannot be used
   * @throws TypeError for an option that cannot be used
   */
  function relayedConnect(address: string | URL, fn: (socket: RelayedSocket) => void): RelayedSocket
  /**
   * Connects a sender, with a token or options, or both in one.
   *
   * @see The first signature for what each argument is
   */
  function relayedConnect(
    address: string | URL | null,
    token?:
      string | Promise<string> | TokenFunction | TokenCredential | RelayedConnectOptions | null,
    fn?: (socket: RelayedSocket) => void,
  ): RelayedSocket
  /**
   * Connects a sender, with a token and options.
   *
   * @see The first signature for what each argument is
   */
  function relayedConnect(
    address: string | URL | null,
    token: string | Promise<string> | TokenFunction | TokenCredential | null | undefined,
    options: RelayedConnectOptions | null | undefined,
    fn?: (socket: RelayedSocket) => void,
  ): RelayedSocket

  // Addresses and tokens.

  /**
   * Makes the URI of a hybrid connection: `wss://NAMESPACE:443/$hc/PATH`.
   *
   * @param namespace The host, perhaps with a scheme and a port (`ws://localhost:9400`)
   * @param path The hybrid connection
   */
  function createRelayBaseUri(namespace: string, path: string): string

  /**
   * Makes the URI at which to listen.
   *
   * @param namespace The host, perhaps with a scheme and a port
   * @param path The hybrid connection, and perhaps a query
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
   * Makes the URI at which a sender connects.
   *
   * @param namespace The host, perhaps with a scheme and a port
   * @param path The hybrid connection, and perhaps a path behind it and a query, which the listener sees
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
   * @param uri What the token is for: a hybrid connection or a whole namespace
   * @param ruleName The name of the rule whose rights the token confers
   * @param key A key of that rule, as text or as its bytes
   * @param expirationSeconds In how many seconds the token ends; 3600 by default
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
   * @param uri The URI, which is what the token is for
   * @param ruleName The name of the rule whose rights the token confers
   * @param key A key of that rule, as text or as its bytes
   * @param expirationSeconds In how many seconds the token ends; 3600 by default
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
    /** The name of the rule, of 1 to 256 characters. */
    keyName: string

    /**
     * The key of the rule, of 1 to 256 characters.
     *
     * @defaultValue a new one
     */
    key?: string | undefined

    /** A second key, which is as good as the first. */
    secondaryKey?: string | undefined

    /**
     * The rights that it grants.
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

    /** Rules of its own, beside those of the namespace. */
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
     * Whether to speak TLS. With `true` the relay makes a certificate; an object gives it one in PEM form.
     *
     * @defaultValue `false`
     */
    tls?:
      | boolean
      | {
          /** The certificate, with those that lead to its issuer, in PEM form. */
          cert: string | Buffer
          /** Its key, in PEM form. */
          key: string | Buffer
        }
      /** The folder in which the relay keeps the authority that signs its certificates. */
      | {
          /** The folder. */
          folder: string
        }
      | undefined

    /** The port for TLS, beside plain connections at `port`; 0 takes a free one. It needs `tls`, too. */
    tlsPort?: number | undefined

    /**
     * Whether the relay takes any JSON Web Token that is for Azure Relay and has not ended, whoever signed it.
     *
     * @defaultValue `false`
     */
    acceptJwt?: boolean | undefined

    /**
     * Whether other machines may use the page and the administration over HTTP.
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

    /** Further host names for which tokens may be signed. */
    hosts?: string[] | undefined

    /**
     * Scheme, host and port of the addresses that listeners dial to meet senders.
     *
     * @defaultValue those by which the listener reached the relay
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
     * How many bytes a frame may have to be passed on whole. Longer ones are cut into fragments, as Azure
     * does. 0 cuts none.
     *
     * @defaultValue `32768`
     */
    maxFrame?: number | undefined

    /**
     * For how many seconds after its end a token is still taken.
     *
     * @defaultValue `0`
     */
    clockSkewSeconds?: number | undefined

    /**
     * How long the TLS handshake may take, and how long the head of a request.
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
     * How long a control channel lives, even with a good token. 0 ends none. Azure ends each about once a
     * day.
     *
     * @defaultValue `86400000`
     */
    channelLifetime?: number | undefined

    /**
     * The pause between two Pong frames on a control channel. 0 sends none.
     *
     * @defaultValue `210000`
     */
    keepAliveInterval?: number | undefined

    /**
     * How long the relay waits for the other side's close frame.
     *
     * @defaultValue `60000`
     */
    closeTimeout?: number | undefined

    /**
     * After what time the relay gives up a client that reads nothing of what it is sent.
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
     * Whether a relayed HTTP request keeps the header `Host` of its sender.
     *
     * @defaultValue `true`
     */
    forwardHost?: boolean | undefined

    /**
     * Whether the connection by which a listener answered a request is kept for the next request of the
     * same sender. If not, it is closed with 1000.
     *
     * @defaultValue `false`
     */
    reuseRendezvous?: boolean | undefined

    /** The relay closes when this signal is aborted. */
    signal?: AbortSignal | undefined
  }

  /** What went one way through a relayed connection. */
  interface RelayEmulatorTraffic {
    /** How many messages. */
    messages: number
    /** Bytes of payload. */
    bytes: number
  }

  /** A hybrid connection of a running relay. */
  interface RelayEmulatorHybridConnectionInfo {
    /** Its path. */
    path: string
    /** Whether senders need a token. */
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
    /** Its number, which is given once in the life of a relay. */
    readonly number: number
    /** The hybrid connection. */
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

    /** Breaks the connection, without a close frame. */
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
    /** The id under which the relay knows it. */
    readonly trackingId: string
    /** The sender's address. */
    readonly sender: string
    /** The listener's address. */
    readonly listener: string
    /** What went from the sender to the listener. */
    readonly toListener: RelayEmulatorTraffic
    /** What went from the listener to the sender. */
    readonly toSender: RelayEmulatorTraffic
  }

  /** Something that goes wrong on purpose; docs/emulator.md explains each kind. Times are in milliseconds. */
  type RelayEmulatorFault = {
    /** The hybrid connection that it strikes. If you leave it out, it strikes all of them. */
    hybridConnection?: string
    /** How likely it strikes what matches, from 0 to 1. */
    probability?: number
    /** How many times it strikes. If you leave it out, it strikes until you remove it. */
    count?: number
  } & (
    | {
        /** Breaks connections, without a close frame. */
        kind: 'drop'
        /** What it strikes: control channels, or relayed connections. */
        on: 'control' | 'connection'
        /** How long they are open before it strikes. */
        after?: number
      }
    | {
        /** Closes connections with a close frame. */
        kind: 'close'
        /** What it strikes: control channels, or relayed connections. */
        on: 'control' | 'connection'
        /** How long they are open before it strikes. */
        after?: number
        /**
         * The close code.
         *
         * @defaultValue 1011
         */
        code?: number
        /** The reason. */
        reason?: string
      }
    | {
        /** Lets connections stay open and carry nothing. */
        kind: 'blackHole'
        /** What it strikes: control channels, or relayed connections. */
        on: 'control' | 'connection'
        /** The only direction that it strikes. If you leave it out, it strikes both. */
        direction?: 'toListener' | 'toSender'
        /** How long they are open before it strikes. */
        after?: number
        /** How long it lasts. If you leave it out, it has no end. */
        duration?: number
      }
    | {
        /** Refuses handshakes. */
        kind: 'refuse'
        /** The status of the refusal. */
        status: number
        /** The reason. */
        reason?: string
        /** What it refuses. If you leave it out, it refuses `'listen'` and `'connect'`. */
        action?: 'listen' | 'connect' | 'accept' | 'request'
      }
    | {
        /** Tells listeners of senders late. */
        kind: 'delayAccept'
        /** How long. */
        delay: number
      }
    | {
        /** Does not tell listeners of senders. */
        kind: 'swallowAccept'
      }
    | {
        /** Lets bytes arrive late, in order. */
        kind: 'latency'
        /** How long. */
        delay: number
        /** How much longer it may take, at random. */
        jitter?: number
        /** The only direction that it strikes. If you leave it out, it strikes both. */
        direction?: 'toListener' | 'toSender'
      }
    | {
        /** Lets bytes pass slowly. */
        kind: 'bandwidth'
        /** How many bytes a second. */
        bytesPerSecond: number
        /** The only direction that it strikes. If you leave it out, it strikes both. */
        direction?: 'toListener' | 'toSender'
      }
    | {
        /** Cuts frames into fragments. */
        kind: 'slice'
        /** How many bytes. */
        bytes: number
        /** The only direction that it strikes. If you leave it out, it strikes both. */
        direction?: 'toListener' | 'toSender'
      }
    | {
        /** Breaks a relayed connection after so many bytes, heads of frames included. */
        kind: 'cutAfter'
        /** How many bytes. */
        bytes: number
        /** The only direction that it strikes. If you leave it out, it strikes both. */
        direction?: 'toListener' | 'toSender'
      }
    | {
        /** Lets all times of the relay run faster or slower. */
        kind: 'timers'
        /** 1 is the usual speed, and 0.01 makes an hour 36 s. */
        factor: number
      }
    | {
        /** Sets the clock ahead, or back, with which tokens are checked. */
        kind: 'clock'
        /** How many seconds it goes ahead; below 0 it goes behind. */
        seconds: number
      }
  )

  /** A handshake that succeeded. */
  interface RelayEmulatorHandshake {
    /** The name of the event. */
    type: 'handshake'
    /** What the client wanted. */
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
    /** The name of the event. */
    type: 'refused'
    /** What the client wanted. */
    action: 'listen' | 'connect' | 'accept' | 'request' | 'http'
    /** The path of the request. */
    path: string
    /** The client's address. */
    remote: string
    /** The id under which the relay knows it. */
    trackingId: string
    /** The status of the answer. */
    status: number
    /** The reason phrase of the answer. */
    reason: string
    /** What most likely helps against it. */
    hint?: string
    /** How long it took, in milliseconds. */
    duration: number
  }

  /** A sender and a listener have met. */
  interface RelayEmulatorPairing {
    /** The name of the event. */
    type: 'paired'
    /** The number of the relayed connection. */
    connection: number
    /** The hybrid connection. */
    hybridConnection: string
    /** The id under which the relay knows it. */
    trackingId: string
    /** The sender's address. */
    sender: string
    /** The listener's address. */
    listener: string
  }

  /** An HTTP request that a listener has answered has ended. */
  interface RelayEmulatorAnswer {
    /** The name of the event. */
    type: 'answered'
    /** The number of the request. */
    request: number
    /** The hybrid connection. */
    hybridConnection: string
    /** The method of the request. */
    method: string
    /** Its path, without the query. */
    path: string
    /** The sender's address. */
    remote: string
    /** The id under which the relay knows it. */
    trackingId: string
    /** The status of the answer. */
    status: number
    /** Whether the sender got the whole answer. */
    whole: boolean
    /** How long it took, in milliseconds. */
    duration: number
    /** Bytes of the request's body. */
    toListener: number
    /** Bytes of the answer's body. */
    toSender: number
  }

  /** A control channel or a relayed connection has ended. */
  interface RelayEmulatorEnd {
    /** The name of the event. */
    type: 'closed'
    /** What has ended. */
    what: 'listener' | 'connection'
    /** The number of the relayed connection. */
    connection?: number
    /** The hybrid connection. */
    hybridConnection: string
    /** The id under which the relay knows it. */
    trackingId: string
    /** How it ended. */
    reason: string
    /** How long it was open, in milliseconds. */
    duration: number
    /** What a relayed connection carried to its listener. */
    toListener?: RelayEmulatorTraffic
    /** What a relayed connection carried to its sender. */
    toSender?: RelayEmulatorTraffic
  }

  /** A frame of a hybrid connection that is recorded. */
  interface RelayEmulatorFrame {
    /** The name of the event. */
    type: 'frame'
    /** The number of the relayed connection. */
    connection: number
    /** Where it goes. */
    to: 'listener' | 'sender'
    /** What the frame holds. */
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
    /** A handshake succeeded. */
    handshake: RelayEmulatorHandshake
    /** The relay or a listener has refused a request. */
    refused: RelayEmulatorRefusal
    /** Refusals and warnings beyond 20 in a second, which were only counted. */
    suppressed: {
      /** The name of the event. */
      type: 'suppressed'
      /** How many refusals. */
      refusals: number
      /** How many warnings. */
      warnings: number
    }
    /** A sender and a listener have met. */
    paired: RelayEmulatorPairing
    /** An HTTP request that a listener has answered has ended. */
    answered: RelayEmulatorAnswer
    /** A control channel or a relayed connection has ended. */
    closed: RelayEmulatorEnd
    /** A fault has struck: its id, its kind, and a path or an id. */
    fault: {
      /** The name of the event. */
      type: 'fault'
      /** The id of the fault. */
      fault: number
      /** The kind of the fault. */
      kind: RelayEmulatorFault['kind']
      /** What it struck: a path or an id. */
      target: string
    }
    /** Hybrid connections or rules have changed. */
    changed: {
      /** The name of the event. */
      type: 'changed'
      /** What has changed. */
      what: string
    }
    /** Something deserves attention. */
    warning: {
      /** The name of the event. */
      type: 'warning'
      /** The text. */
      message: string
      /** The id under which the relay knows it. */
      trackingId?: string
    }
    /** A frame went through a hybrid connection that is recorded. */
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

  /** The program did not take events quickly enough, so some were left out. */
  interface RelayEmulatorMissed {
    /** The name of the event. */
    type: 'missed'
    /** How many were left out. */
    count: number
  }

  /** The names of a relay's events and what their listeners are given. */
  type RelayEmulatorEvents = {
    [E in keyof RelayEmulatorEventMap]: [event: RelayEmulatorEvent<E>]
  } & {
    /** Every event, whatever its name. */
    event: [event: RelayEmulatorEvent | RelayEmulatorMissed]
    /** Events were left out, since the program did not take them quickly enough. */
    missed: [event: RelayEmulatorMissed]

    /** Of `EventEmitter`. */
    newListener: [event: string | symbol, listener: (...args: any[]) => void]

    /** Of `EventEmitter`. */
    removeListener: [event: string | symbol, listener: (...args: any[]) => void]
  }

  /** An HTTP request that a listener was told of and that has not ended. */
  interface RelayEmulatorRequest {
    /** Its number, which is given once in the life of a relay. */
    readonly number: number
    /** The hybrid connection. */
    readonly hybridConnection: string
    /** The id under which the relay knows it. */
    readonly trackingId: string
    /** The method of the request. */
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
   * It emits what happens: each event by the name in its `type`, and all of them as `'event'`. You can
   * also read them with `for await`.
   */
  interface RelayEmulator
    extends EventEmitter, AsyncIterable<RelayEmulatorEvent | RelayEmulatorMissed> {
    /** The address and port on which it listens. */
    readonly address: {
      /** The address. */
      address: string
      /** Whether it is one of IPv4 or of IPv6. */
      family: 'IPv4' | 'IPv6'
      /** The port. */
      port: number
    }

    /** What you give in place of the name of a namespace, such as `ws://127.0.0.1:9400`. */
    readonly namespace: string

    /** The name of the namespace's first rule. */
    readonly keyName: string

    /** The key of that rule. */
    readonly key: string

    /** A connection string with that rule, for the whole namespace. */
    readonly connectionString: string

    /** The same for TLS, or `undefined` without TLS. */
    readonly tlsNamespace: string | undefined

    /** The port for TLS beside plain connections, or `undefined` without `tlsPort`. */
    readonly tlsPort: number | undefined

    /** A connection string for clients that speak TLS only, or `undefined` without TLS. */
    readonly tlsConnectionString: string | undefined

    /** The certificate that clients have to trust (`tls.ca`), in PEM form, or `undefined` without TLS. */
    readonly certificate: string | undefined

    /** The hybrid connections. */
    hybridConnections(): RelayEmulatorHybridConnectionInfo[]

    /**
     * Creates a hybrid connection.
     *
     * @throws TypeError if there is one of that path already, or the path cannot be used
     */
    createHybridConnection(options: string | RelayEmulatorHybridConnection): void

    /**
     * Deletes a hybrid connection: its control channels and relayed sockets are closed with 1001, senders that
     * wait for a listener are answered 404, and HTTP requests without an answer 502.
     *
     * @throws TypeError if there is none of that path
     */
    deleteHybridConnection(path: string): void

    /** The rules of the namespace, or of a hybrid connection. */
    rules(hybridConnection?: string): RelayEmulatorRule[]

    /** Creates a rule. If you give no key, the relay makes one. */
    createRule(rule: RelayEmulatorRule, hybridConnection?: string): RelayEmulatorRule

    /** Deletes a rule. Channels and sockets that are open stay open. */
    deleteRule(keyName: string, hybridConnection?: string): void

    /** The listeners whose control channels are up. */
    listeners(): RelayEmulatorListener[]

    /** The listeners of an event, as any `EventEmitter` lists them. */
    listeners(eventName: string | symbol): Array<(...args: any[]) => void>

    /** The senders that wait for a listener. `waiting` says for how many milliseconds. */
    pending(): Array<{
      /** The id under which the relay knows it. */
      trackingId: string
      /** The hybrid connection. */
      hybridConnection: string
      /** For how many milliseconds it has waited. */
      waiting: number
    }>

    /** The relayed connections that are open. */
    connections(): RelayEmulatorConnection[]

    /** The HTTP requests that a listener was told of and that have not ended. */
    requests(): RelayEmulatorRequest[]

    /**
     * Lets something go wrong from now on, until you remove the fault or it has struck `count` times.
     *
     * @throws TypeError naming the member that cannot be used
     */
    setFault(fault: RelayEmulatorFault): {
      /** The id of the fault. */
      id: number
      /** Removes the fault, if it is still there. */
      remove(): void
    }

    /**
     * Removes a fault, if it is still there.
     *
     * @throws TypeError if the id is no number that `setFault()` or `faults()` could have given
     */
    removeFault(id: number): void

    /** The faults that are set, and how often each has struck. */
    faults(): Array<
      RelayEmulatorFault & {
        /** The id of the fault. */
        id: number
        /** How often it has struck. */
        struck: number
      }
    >

    /** Removes all faults. */
    clearFaults(): void

    /** What has happened since the event with that serial, oldest first, as far as it is kept. */
    journal(options?: {
      /** The serial of the last event that you know; `0` for all. */
      since?: number
    }): RelayEmulatorEvent[]

    /** Lets the frames of a hybrid connection go into the journal. */
    record(hybridConnection: string): void

    /** The numbers of the relay, in the text format of Prometheus. */
    metrics(): string

    /** Removes faults and recordings, drops what is connected, and empties the journal: between two tests. */
    reset(): void

    /** Closes control channels and relayed sockets with 1001. The promise is fulfilled when all is down. */
    close(): Promise<void>

    /** Closes the relay, at the end of an `await using` block. */
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
   * Starts a local relay, which is the service side of Azure Relay Hybrid Connections for development and
   * tests.
   *
   * @throws TypeError naming the option that cannot be used
   */
  function startRelayEmulator(options?: RelayEmulatorOptions): Promise<RelayEmulator>

  // Diagnostics.

  /**
   * What `node:diagnostics_channel` carries: the name of each channel, and its messages. `trackingId` is
   * the id under which the relay knows what the message is about. For a control channel that is the id
   * which the relay gave it, or the `id` of the listener.
   */
  interface DiagnosticsMessages {
    /** A control channel is being opened, for the `attempt`-th time since it was up. */
    'hyco-rs:listener:connecting': {
      /** The server. */
      server: RelayedServer
      /** The id under which the relay knows it. */
      trackingId: string
      /** Counts the attempts since the control channel was up. */
      attempt: number
    }

    /** A control channel is up. */
    'hyco-rs:listener:online': {
      /** The server. */
      server: RelayedServer
      /** The id under which the relay knows it. */
      trackingId: string
    }

    /** A control channel is down, or could not be opened. */
    'hyco-rs:listener:offline': {
      /** The server. */
      server: RelayedServer
      /** The id under which the relay knows it. */
      trackingId: string
      /** Counts the attempts since the control channel was up. */
      attempt: number
      /** Milliseconds until the next attempt. */
      delay: number
      /** Whether there will be no further attempt. */
      final: boolean
      /** What went wrong. */
      error: RelayError
    }

    /** A new token was sent on a control channel. */
    'hyco-rs:listener:renewed': {
      /** The server. */
      server: RelayedServer
      /** The id under which the relay knows it. */
      trackingId: string
    }

    /** A server is closed. */
    'hyco-rs:listener:closed': {
      /** The server. */
      server: RelayedServer
      /** The id under which the relay knows it. */
      trackingId: string
    }

    /** A sender is there. */
    'hyco-rs:accept:asked': {
      /** The server. */
      server: RelayedServer
      /** The id under which the relay knows it. */
      trackingId: string
      /** The request of the sender. */
      request: RelayedRequest
    }

    /** A sender is met. */
    'hyco-rs:accept:accepted': {
      /** The server. */
      server: RelayedServer
      /** The id under which the relay knows it. */
      trackingId: string
      /** The request of the sender. */
      request: RelayedRequest
      /** The socket. */
      socket: RelayedSocket
    }

    /** A sender is refused; `error` says why if it was the fault of this side. */
    'hyco-rs:accept:rejected': {
      /** The server. */
      server: RelayedServer
      /** The id under which the relay knows it. */
      trackingId: string
      /** The request of the sender. */
      request: RelayedRequest
      /** The HTTP status. */
      statusCode: number
      /** The reason phrase. */
      reason: string
      /** What went wrong. */
      error?: RelayError
    }

    /** A sender could not be met, or not be told of its refusal; it may have left. */
    'hyco-rs:accept:failed': {
      /** The server. */
      server: RelayedServer
      /** The id under which the relay knows it. */
      trackingId: string
      /** The request of the sender. */
      request: RelayedRequest | null
      /** What went wrong. */
      error: RelayError
    }

    /** A socket of a server, which is `server`, or of {@link relayedConnect} is open. */
    'hyco-rs:socket:open': {
      /** The server. */
      server?: RelayedServer
      /** The socket. */
      socket: RelayedSocket
      /** The id under which the relay knows it. */
      trackingId?: string
    }

    /** A socket that was open is closed. */
    'hyco-rs:socket:close': {
      /** The server. */
      server?: RelayedServer
      /** The socket. */
      socket: RelayedSocket
      /** The id under which the relay knows it. */
      trackingId?: string
      /** The close code. */
      code: number
      /** The reason in the close frame. */
      reason: string
    }

    /** A server of this process has got an HTTP request. */
    'hyco-rs:request:start': RequestInfo & {
      /** The server. */
      server: RelayedServer
    }

    /**
     * An HTTP request is over, after `duration` milliseconds. One that was passed on by
     * {@link RelayedServer.forward} has `method`, `url` and `statusCode` instead of its sender.
     */
    'hyco-rs:request:end': Partial<RequestInfo> & {
      /** The server. */
      server: RelayedServer
      /** How long it took, in milliseconds. */
      duration: number
      /** The method of the request. */
      method?: string
      /** The path and query of the request. */
      url?: string
      /** The HTTP status. */
      statusCode?: number
    }

    /** An HTTP request was not served, as `'requestError'` tells. */
    'hyco-rs:request:error': Partial<RequestInfo> & {
      /** The server. */
      server: RelayedServer
      /** What went wrong. */
      error: RelayError
    }

    /**
     * A line of the native side's log, about a server, a socket, a local relay of this process, or none.
     * Its texts are for people, and may change with any version; secrets are hidden in them.
     */
    'hyco-rs:log': {
      /** The server. */
      server?: RelayedServer
      /** The socket. */
      socket?: RelayedSocket
      /** The relay. */
      relay?: RelayEmulator
      /** The id under which the relay knows it. */
      trackingId?: string
      /** How urgent it is. */
      level: 'error' | 'warn' | 'info' | 'debug'
      /** The part of the native side that wrote it. */
      target: string
      /** The text. */
      message: string
      /** What the line tells beside its text. */
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

    /** The HTTP status of the answer. The relay gave it, a proxy, or the listener through the relay. */
    statusCode?: number

    /** The reason phrase of that answer, as it came. */
    reason?: string

    /** The id under which the relay knows the request. */
    trackingId?: string

    /**
     * Who refused the handshake, where that can be told. Where it is missing, a proxy, a gateway or a
     * server that is no relay may have answered.
     */
    refusedBy?: 'listener' | 'relay'

    /** What you can do about it, if the cause is commonly known. The message ends with this sentence. */
    hint?: string

    /** How the relay closed the control channel. */
    closeCode?: number

    /** The error that caused this one. */
    cause?: unknown
  }
}

export = WebSocket
