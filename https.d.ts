import * as http from 'http'
import * as https from 'https'
import WebSocket = require('./index.js')

/**
 * The interface of hyco-https: everything that `node:https` exports, which itself is left as it is, and
 * a server that takes HTTP requests from a relay.
 */
declare namespace relay {
  // What node:https exports.

  export import Agent = https.Agent
  export import AgentOptions = https.AgentOptions
  export import RequestOptions = https.RequestOptions
  export import ServerOptions = https.ServerOptions
  export import createServer = https.createServer
  export import get = https.get
  export import request = https.request
  let globalAgent: https.Agent

  /** The class of `node:http`. */
  export import ServerResponse = http.ServerResponse

  // What hyco-https adds.

  export import appendRelayToken = WebSocket.appendRelayToken
  export import createRelayBaseUri = WebSocket.createRelayBaseUri
  export import createRelayListenUri = WebSocket.createRelayListenUri
  export import createRelaySendUri = WebSocket.createRelaySendUri
  export import createRelayToken = WebSocket.createRelayToken

  /**
   * Creates the address to which HTTP requests are sent.
   *
   * @param namespaceName The host of the namespace, perhaps with a scheme and a port (`ws://localhost:9400`)
   * @param path The hybrid connection, perhaps with a path behind it and a query
   * @param token A token to put into the address. It is better sent in the header `ServiceBusAuthorization`
   * @param id A tracking id, which the relay does not use
   */
  function createRelayHttpsUri(
    namespaceName: string,
    path: string,
    token?: string | null,
    id?: string | null,
  ): string

  /**
   * An `http.Server` that listens at a relay instead of a port, once `listen()` is called. Its events are
   * those of `http.Server`, and `'connecting'`, `'online'`, `'offline'`, `'requestError'` and
   * `'acceptError'` of {@link WebSocket.RelayedServer}. Senders of WebSockets meet its `'upgrade'`
   * listeners.
   */
  interface Server extends http.Server {
    /** The address at which it listens. */
    readonly listenUri: string

    /** The hybrid connection. */
    readonly path: string

    /** The server at the relay, or `null` before `listen()` and after it has closed. */
    readonly relayed: WebSocket.RelayedServer | null

    /** Whether it does not listen, or is to stop. */
    readonly closeRequested: boolean

    /**
     * Starts to listen at the relay.
     *
     * @param callback Called once, when it listens; an error that it throws becomes a warning of the process.
     *   Other arguments, such as a port, have no effect
     * @throws Error with the code `ERR_SERVER_ALREADY_LISTEN`
     */
    listen(...args: any[]): this

    /**
     * Stops listening and answers open requests with 502. `close()` of an `http.Server` waits for them; for
     * that, wait for `server.relayed.drain()` first.
     *
     * @param callback Called when everything is down
     */
    close(callback?: (error?: Error) => void): this

    /** Closes the server. The promise is fulfilled when everything is down. */
    [Symbol.asyncDispose](): Promise<void>
  }

  /** The class {@link Server}. You may leave out `new`. */
  interface ServerConstructor {
    new (options: WebSocket.RelayedServerOptions, requestListener?: http.RequestListener): Server
    (options: WebSocket.RelayedServerOptions, requestListener?: http.RequestListener): Server
    /** What all servers inherit. */
    readonly prototype: Server
  }

  const Server: ServerConstructor

  /**
   * Creates a server that takes HTTP requests from a relay, once its `listen()` is called.
   *
   * @param options
   * @param requestListener A listener for `'request'`
   */
  function createRelayedServer(
    options: WebSocket.RelayedServerOptions,
    requestListener?: http.RequestListener,
  ): Server
}

export = relay
