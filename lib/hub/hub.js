'use strict'

const { run } = require('../context')
const { publish, wanted } = require('../diagnostics')
const native = require('../native')
const Outgoing = require('../http/outgoing')
const Aborted = require('./aborted')
const { transfer } = require('./bytes')
const Delivery = require('./delivery')
const Holds = require('./holds')
const Link = require('./link')
const Ring = require('./ring')
const Trust = require('./trust')
const { kEvent } = require('./records')

let current = null

const isNode = !process.versions.bun && !process.versions.deno

/**
 * The JavaScript end of the data plane: opens listeners and connections, and knows whose the events
 * are. One per environment, since each worker thread loads its own copy of this module.
 */
class Hub {
  #native
  /** Sockets by the numbers of their links. */
  #sockets = [undefined]
  /** Their links. */
  #links = [undefined]
  #listeners = new Map()
  /** Those whose requests are passed on: they are known, and hold the process, until `unforward`. */
  #forwarding = new Set()
  #nextListener = 1
  /** Listeners, connections and gateways that the native side knows. */
  #open = 0
  #holds = new Holds()
  #ring = new Ring(this.#sockets)
  #delivery = new Delivery(this.#sockets, {
    flush: () => this.#ring.flush(),
    closed: (number) => this.#detach(number),
    event: (number, event) => this.#event(number, event),
  })
  #trust
  /** The native side refers to it weakly while nothing is open, so that a hub can be collected. */
  #deliver = (count, lent, large, events) => this.#delivery.deliver(count, lent, large, events)
  #isLogRead = false

  /**
   * @param {boolean} [share=true] whether views may show memory that the native side owns; where
   *   the platform forbids it they never do
   */
  constructor(share = true) {
    const { memory, results } = this.#ring
    const { table, stage } = this.#delivery.memory
    this.#native = new native.Hub(
      { table, results, ring: memory, stage },
      this.#deliver,
      this.#holds,
      { share, releasesAll: isNode, homes: homes() },
      transfer,
    )
    this.#ring.open(this.#native)
    this.#delivery.open(this.#native)
    this.#trust = new Trust(this.#native)
    /** What the exchanges say. */
    this.outgoing = new Outgoing(this.#native)
  }

  /**
   * The hub of this environment, created on first use.
   *
   * @returns {Hub}
   */
  static current() {
    // The first to use it lends it no context: it works for all.
    current ??= run(null, () => new Hub())
    return current
  }

  /**
   * Starts a listener. It keeps the process alive until its `closed` event, unless unreferenced.
   *
   * @param {object} spec what to listen on; see `ListenSpec` in native/binding.d.ts
   * @param {(event: object) => void} onEvent
   * @returns {number} the listener's number
   */
  listen(spec, onEvent) {
    this.#attendLog()
    const { tls, ...rest } = spec
    const id = this.#nextListener++
    this.#native.listen(id, { ...rest, trust: this.#trust.prepare(tls) })
    this.#listeners.set(id, { onEvent, held: true })
    this.#enter()
    this.#hold()
    return id
  }

  /** Lets the process end although this listener is open. @param {number} id */
  unrefListener(id) {
    const listener = this.#listeners.get(id)
    if (listener?.held) {
      listener.held = false
      this.#release()
    }
  }

  /** Keeps the process alive for this listener again. @param {number} id */
  refListener(id) {
    const listener = this.#listeners.get(id)
    if (listener && !listener.held) {
      listener.held = true
      this.#hold()
    }
  }

  /**
   * Answers a `token` event.
   *
   * @param {number} listener
   * @param {number} request
   * @param {(Object|null)} given `token`, `expiresOn` and `refreshAfter`, as a TokenSource fetches it
   * @param {string} [errorMessage] why there is none
   */
  provideToken(listener, request, given, errorMessage) {
    const { token, expiresOn, refreshAfter } = given ?? {}
    this.#native.provideToken(listener, request, token, errorMessage, expiresOn, refreshAfter)
  }

  /**
   * Answers a `reconnect` event.
   *
   * @param {number} listener
   * @param {number} request
   * @param {number} delay milliseconds, or -1 to stop
   */
  decideReconnect(listener, request, delay) {
    this.#native.decideReconnect(listener, request, delay)
  }

  /**
   * Accepts a sender: dials its rendezvous for `socket`, which opens or fails later.
   *
   * @param {number} listener
   * @param {number} accept
   * @param {object} socket as for `connect`
   * @param {string|undefined} protocol the subprotocol to answer with
   * @param {string[][]} headers further ones of the handshake, names and values
   * @throws {Error} when the listener has ended
   */
  accept(listener, accept, socket, protocol, headers) {
    const link = new Link(this)
    const read = socket.attach(link)
    this.#attach(socket, link, this.#native.accept(listener, accept, protocol, headers, read))
  }

  /**
   * Refuses a sender.
   *
   * @param {number} listener
   * @param {number} accept
   * @param {number} status
   * @param {string} description the reason phrase that the sender sees
   */
  reject(listener, accept, status, description) {
    this.#native.reject(listener, accept, status, description)
  }

  /**
   * Says whether the next failure or loss of a listener is the last.
   *
   * @param {number} listener
   * @param {boolean} staysDown
   */
  stayDown(listener, staysDown) {
    this.#native.stayDown(listener, staysDown)
  }

  /**
   * Serves a listener's HTTP requests: each becomes an exchange, whose messages and signals go to
   * `gateway` until `unserve`.
   *
   * @param {number} listener
   * @param {object} gateway an object with the methods `kMessage` and `kExchange`
   * @param {object} spec see `ServeSpec` in native/binding.d.ts
   * @returns {Link} to be given to `unserve`
   */
  serve(listener, gateway, spec) {
    const link = new Link(this)
    link.bind(this.#native.reserve())
    this.#sockets[link.number] = gateway
    this.#links[link.number] = link
    this.#enter()
    this.#native.serve(listener, link.handle, spec)
    return link
  }

  /** No exchange of that link is open any more. @param {Link} link */
  unserve(link) {
    this.#sockets[link.number] = undefined
    this.#links[link.number] = undefined
    this.#delivery.forget(link.number)
    this.#native.forget(link.handle)
    link.unbind()
    this.#leave()
  }

  /**
   * Passes a listener's HTTP requests on to a server elsewhere.
   *
   * @param {number} listener
   * @param {object} forward see `ForwardSpec` in native/binding.d.ts; its `trust` is set here, after its
   *   `tls`
   * @param {object} spec see `ServeSpec` in native/binding.d.ts
   */
  forward(listener, { tls, ...forward }, spec) {
    this.#native.forward(listener, { ...forward, trust: this.#trust.prepare(tls) }, spec)
    if (!this.#forwarding.has(listener)) this.#enter()
    this.#forwarding.add(listener)
  }

  /** How many requests of a listener are open. @param {number} listener @returns {number} */
  openRequests(listener) {
    return this.#native.openRequests(listener)
  }

  /** How many requests of a listener there were. @param {number} listener @returns {number} */
  totalRequests(listener) {
    return this.#native.totalRequests(listener)
  }

  /**
   * Says whether a `served` event is to follow for each answer.
   *
   * @param {number} listener
   * @param {boolean} reports
   */
  reportServed(listener, reports) {
    this.#native.reportServed(listener, reports)
  }

  /** Lets an `idle` event follow when no request of a listener is open. @param {number} listener */
  watchRequests(listener) {
    this.#native.watchRequests(listener)
  }

  /** No request of a listener is passed on any more. @param {number} id */
  unforward(id) {
    if (this.#forwarding.delete(id)) this.#leave()
    if (this.#listeners.get(id)?.closed) this.#forget(id)
  }

  /**
   * Lets the server that serves requests upgrade a sender.
   *
   * @param {number} listener
   * @param {number} accept
   * @param {object} spec see `UpgradeSpec` in native/binding.d.ts
   */
  upgrade(listener, accept, spec) {
    this.#native.upgrade(listener, accept, spec)
  }

  /** Gives up the HTTP requests that are open. @param {number} listener */
  endRequests(listener) {
    this.#native.endRequests(listener)
  }

  /** Closes a listener; its `closed` event follows. @param {number} id */
  closeListener(id) {
    this.#native.closeListener(id)
  }

  /**
   * Connects a sender's socket, which opens or fails later.
   *
   * @param {object} socket what gets the events: an object with the methods that records.js names
   *   by symbols, and with `attach(link)`, which takes the `Link` and returns how the native side
   *   is to read (`ReadSpec` in native/binding.d.ts)
   * @param {object} spec see `ConnectSpec` in native/binding.d.ts; its `trust` is set here, after
   *   its `tls`
   */
  connect(socket, spec) {
    this.#attendLog()
    spec.trust = this.#trust.prepare(spec.tls)
    const link = new Link(this)
    const read = socket.attach(link)
    this.#attach(socket, link, this.#native.connect(spec, read))
  }

  /** See `Link.abort`. @param {Link} link */
  abort(link) {
    this.#sockets[link.number] = new Aborted(link)
    this.#native.abort(link.handle)
  }

  /**
   * See `Link.send`.
   *
   * @param {Link} link
   * @param {number} opcode
   * @param {boolean} fin
   * @param {boolean} masked
   * @param {boolean} acknowledge
   * @param {Uint8Array|string} payload
   */
  send(link, opcode, fin, masked, acknowledge, payload) {
    this.#ring.send(link, opcode, fin, masked, acknowledge, payload)
  }

  /** See `Link.buffered`. @param {Link} link @returns {number} */
  buffered(link) {
    this.#ring.flush()
    return this.#native.buffered(link.handle)
  }

  /** How many sockets live on the event loop. @returns {number} */
  get onLoop() {
    return this.#native.onLoop()
  }

  /** See `Link.pause`. @param {Link} link @param {boolean} pause */
  pause(link, pause) {
    this.#native.pause(link.handle, pause)
  }

  /** See `Link.end`. @param {Link} link */
  end(link) {
    this.#ring.flush()
    this.#native.end(link.handle)
  }

  /** See `Link.destroy`. @param {Link} link */
  destroy(link) {
    this.#native.destroy(link.handle)
  }

  /**
   * Calls a function of the user's; what it throws becomes an uncaught exception, as if an event
   * of its own had called it, and the caller goes on.
   *
   * @param {Function} fn
   * @param {...*} args
   */
  guard(fn, ...args) {
    try {
      fn(...args)
    } catch (error) {
      this.raise(error)
    }
  }

  /** Makes an uncaught exception of an error. @param {*} error */
  raise(error) {
    native.raise(error)
  }

  #attach(socket, link, handle) {
    link.bind(handle)
    this.#sockets[link.number] = socket
    this.#links[link.number] = link
    this.#enter()
    this.#hold()
  }

  /** The socket knows that its connection is gone: the number may be given to another. */
  #detach(number) {
    const link = this.#links[number]
    this.#sockets[number] = undefined
    this.#links[number] = undefined
    this.#native.forget(link.handle)
    link.unbind()
    this.#delivery.forget(number)
    this.#release()
    this.#leave()
  }

  /** Something is open: the hub must live, although perhaps nobody refers to it. */
  #enter() {
    if (this.#open++ === 0) this.#native.root(true)
  }

  #leave() {
    if (--this.#open === 0) this.#native.root(false)
  }

  #hold() {
    if (this.#holds.count++ === 0) this.#native.hold(true)
  }

  #release() {
    if (--this.#holds.count === 0) this.#native.hold(false)
  }

  /** Has the native side tell its log while somebody reads it, which may change at any time. */
  #attendLog() {
    const isRead = wanted('log')
    if (isRead === this.#isLogRead) return
    this.#isLogRead = isRead
    this.#native.setLogging(isRead)
  }

  /** Hands on a line of the native side's log: to the server that it is about, if it is about one. */
  #log(event) {
    const listener = this.#listeners.get(event.listener)
    if (listener !== undefined) {
      listener.onEvent(event)
      return
    }
    if (!wanted('log')) return
    const { level, target, message, fields } = event
    const socket = this.#sockets[event.socket ?? Number(fields.connection)]?.face
    publish('log', { ...(socket && { socket }), level, target, message, fields })
  }

  #event(number, event) {
    this.#attendLog()
    if (event.type === 'log') {
      this.#log(event)
      return
    }
    if (number !== 0) {
      try {
        this.#sockets[number][kEvent](event)
      } finally {
        if (event.type === 'failed') this.#detach(number)
      }
      return
    }
    const listener = this.#listeners.get(event.listener)
    if (listener === undefined) return
    if (event.type === 'closed') {
      listener.closed = true
      if (!this.#forwarding.has(event.listener)) this.#forget(event.listener)
    }
    listener.onEvent(event)
  }

  #forget(id) {
    const { held } = this.#listeners.get(id)
    this.#listeners.delete(id)
    this.#native.forgetListener(id)
    if (held) this.#release()
    this.#leave()
  }
}

/**
 * Where sockets live: see crates/hub/src/homes.rs. Only Node lends its event loop; others have no such
 * functions, or some that abort.
 *
 * @returns {string}
 */
function homes() {
  if (!isNode || process.platform === 'win32') return 'thread'
  return process.env.HYCO_RS_HOMES ?? 'rule'
}

module.exports = { Hub, current: Hub.current }
