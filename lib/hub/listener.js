'use strict'

/**
 * What a server holds of its listener: the verbs that reach the native side.
 *
 * It is known to the hub from `Hub.listen` until its `closed` event, or, if its requests are passed on
 * to a server elsewhere, until `unforward`.
 */
class Listener {
  #id
  #hub
  #native
  #onEvent
  /** Whether it keeps the process alive. */
  #isHeld = true
  #isForwarding = false
  #isClosed = false

  /**
   * @param {number} id its number, which the native side knows
   * @param {object} hub what the hub does for its listeners
   * @param {(event: object) => void} onEvent
   * @package
   */
  constructor(id, hub, onEvent) {
    this.#id = id
    this.#hub = hub
    this.#native = hub.native
    this.#onEvent = onEvent
    hub.enter()
    hub.hold()
  }

  /** An event of the native side. @param {object} event @package */
  on(event) {
    if (event.type === 'closed') {
      this.#isClosed = true
      if (!this.#isForwarding) this.#forget()
    }
    this.#onEvent(event)
  }

  /** Lets the process end although this listener is open. */
  unref() {
    if (!this.#isHeld) return
    this.#isHeld = false
    this.#hub.release()
  }

  /** Keeps the process alive for this listener again. */
  ref() {
    if (this.#isHeld || this.#isClosed) return
    this.#isHeld = true
    this.#hub.hold()
  }

  /** Closes it; its `closed` event follows. */
  close() {
    this.#native.closeListener(this.#id)
  }

  /**
   * Says whether the next failure or loss is the last.
   *
   * @param {boolean} staysDown
   */
  stayDown(staysDown) {
    this.#native.stayDown(this.#id, staysDown)
  }

  /**
   * Answers a `token` event.
   *
   * @param {number} request
   * @param {(Object|null)} given `token`, `expiresOn` and `refreshAfter`, as a TokenSource fetches it
   * @param {string} [errorMessage] why there is none
   */
  provideToken(request, given, errorMessage) {
    const { token, expiresOn, refreshAfter } = given ?? {}
    this.#native.provideToken(this.#id, request, token, errorMessage, expiresOn, refreshAfter)
  }

  /**
   * Answers a `reconnect` event.
   *
   * @param {number} request
   * @param {number} delay milliseconds, or -1 to stop
   */
  decideReconnect(request, delay) {
    this.#native.decideReconnect(this.#id, request, delay)
  }

  /**
   * Accepts a sender: dials its rendezvous for `socket`, which opens or fails later.
   *
   * @param {number} accept
   * @param {object} socket as for `Hub.connect`
   * @param {string|undefined} protocol the subprotocol to answer with
   * @param {string[][]} headers further ones of the handshake, names and values
   * @throws {Error} when the listener has ended
   */
  accept(accept, socket, protocol, headers) {
    this.#hub.attach(socket, (read) =>
      this.#native.accept(
        this.#id,
        accept,
        protocol,
        headers.length === 0 ? undefined : headers,
        read.maxPayload,
        read.maxFragments,
        read.skipUtf8Validation,
        read.keepAliveInterval,
      ),
    )
  }

  /**
   * Refuses a sender.
   *
   * @param {number} accept
   * @param {number} status
   * @param {string} description the reason phrase that the sender sees
   */
  reject(accept, status, description) {
    this.#native.reject(this.#id, accept, status, description)
  }

  /**
   * Lets the server that serves requests upgrade a sender.
   *
   * @param {number} accept
   * @param {object} spec see `UpgradeSpec` in native/binding.d.ts
   */
  upgrade(accept, spec) {
    this.#native.upgrade(this.#id, accept, spec)
  }

  /**
   * Serves HTTP requests: each becomes an exchange, whose messages and signals go to `gateway` until
   * `unserve`.
   *
   * @param {object} gateway an object with the methods `kMessage` and `kExchange`
   * @param {object} spec see `ServeSpec` in native/binding.d.ts
   * @returns {import('./link')} to be given to `unserve`
   */
  serve(gateway, spec) {
    const link = this.#hub.reserve(gateway)
    this.#native.serve(this.#id, link.handle, spec)
    return link
  }

  /** No exchange of that link is open any more. @param {import('./link')} link */
  unserve(link) {
    this.#hub.free(link)
  }

  /**
   * Passes HTTP requests on to a server elsewhere.
   *
   * @param {object} forward see `ForwardSpec` in native/binding.d.ts; its `trust` is set here, after its
   *   `tls`
   * @param {object} spec see `ServeSpec` in native/binding.d.ts
   */
  forward({ tls, ...forward }, spec) {
    this.#native.forward(this.#id, { ...forward, trust: this.#hub.trust.prepare(tls) }, spec)
    if (!this.#isForwarding) this.#hub.enter()
    this.#isForwarding = true
  }

  /** No request is passed on any more. */
  unforward() {
    if (!this.#isForwarding) return
    this.#isForwarding = false
    this.#hub.leave()
    if (this.#isClosed) this.#forget()
  }

  /** How many HTTP requests are open. @returns {number} */
  openRequests() {
    return this.#native.openRequests(this.#id)
  }

  /** How many HTTP requests there were. @returns {number} */
  totalRequests() {
    return this.#native.totalRequests(this.#id)
  }

  /**
   * Says whether a `served` event is to follow for each answer.
   *
   * @param {boolean} reports
   */
  reportServed(reports) {
    this.#native.reportServed(this.#id, reports)
  }

  /** Lets an `idle` event follow when no HTTP request is open. */
  watchRequests() {
    this.#native.watchRequests(this.#id)
  }

  /** Gives up the HTTP requests that are open. */
  endRequests() {
    this.#native.endRequests(this.#id)
  }

  #forget() {
    this.#hub.forget(this.#id)
    this.#native.forgetListener(this.#id)
    if (this.#isHeld) this.#hub.release()
    this.#isHeld = false
    this.#hub.leave()
  }
}

module.exports = Listener
