import WebSocket = require('./index.js')

declare namespace testing {
  /** Options of {@link startRelayKit}. */
  interface RelayKitOptions {
    /**
     * The hybrid connection.
     *
     * @defaultValue `'test'`
     */
    path?: string | undefined

    /** Options of the relay, `{ tls: true }` for instance. */
    relay?: WebSocket.RelayEmulatorOptions | undefined

    /** Options of the server, beside its address and key. */
    server?: Partial<WebSocket.RelayedServerOptions> | undefined

    /** A listener for `'connection'`. */
    onConnection?:
      | ((
          this: WebSocket.RelayedServer,
          socket: WebSocket.RelayedSocket,
          request: WebSocket.RelayedRequest,
        ) => void)
      | undefined
  }

  /** A relay, a server that listens at it, and senders. All are ended together. */
  class RelayKit {
    private constructor()

    /** The relay. */
    readonly relay: WebSocket.RelayEmulator

    /** The hybrid connection. */
    readonly path: string

    /** The server. It is online. */
    readonly server: WebSocket.RelayedServer

    /** The address of a sender. */
    readonly sendUri: string

    /**
     * A token with all rights.
     *
     * @param seconds How long it holds; 3600 by default
     */
    token(seconds?: number): string

    /**
     * Connects a sender.
     *
     * @returns The sender when it is open; rejected with its error when it cannot be opened
     */
    connect(options?: WebSocket.RelayedConnectOptions): Promise<WebSocket.RelayedSocket>

    /** Connects a sender, and gives what the server got for it as well. */
    pair(options?: WebSocket.RelayedConnectOptions): Promise<{
      /** The sender's end. */
      sender: WebSocket.RelayedSocket
      /** The server's end. */
      socket: WebSocket.RelayedSocket
      /** The request of the sender. */
      request: WebSocket.RelayedRequest
    }>

    /** Ends the senders, the server and the relay. It is resolved when nothing is open any more. */
    close(): Promise<void>

    /** Closes it, at the end of an `await using` block. */
    [Symbol.asyncDispose](): Promise<void>
  }

  /** Where a kit leaves what is to be done at the end of a test. */
  type After =
    | {
        /** Is called with what is to be done. */
        after(end: () => Promise<void>): void
      }
    | ((end: () => Promise<void>) => unknown)

  /**
   * Starts a relay with one hybrid connection and a server that listens there.
   *
   * @param after The context of a test of node:test, or `afterAll` or `afterEach` of Jest and Vitest,
   *   where the kit is closed. It is called before anything starts. Without it, call `close()` or use
   *   `await using`. Inside of a test, a `beforeAll` or a `beforeEach`, Jest takes no further hook: give
   *   `null` there and call `close()` in a hook of yours
   * @returns The kit when the server is online; rejected with the error of a server that cannot listen,
   *   and with a `TypeError` of code `HYCO_ERR_INVALID_ARGUMENT` for an argument that cannot be used
   */
  function startRelayKit(after?: After | null, options?: RelayKitOptions): Promise<RelayKit>
  /** The same, for a kit that you close yourself: with `close()` or `await using`. */
  function startRelayKit(options: RelayKitOptions): Promise<RelayKit>
}

export = testing
