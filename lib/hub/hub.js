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
const Listener = require('./listener')
const Ring = require('./ring')
const Trust = require('./trust')
const { MORE, kEvent } = require('./records')

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
  /** Those of servers, by their numbers. */
  #listeners = new Map()
  #nextListener = 1
  /** Listeners, connections and gateways that the native side knows. */
  #open = 0
  #holds = new Holds()
  #ring = new Ring(this.#sockets)
  #delivery = new Delivery(this.#sockets, {
    over: () => this.#ring.leave(),
    closed: (number) => this.#detach(number),
    event: (number, event) => this.#event(number, event),
  })
  #trust
  /** The native side refers to it weakly while nothing is open, so that a hub can be collected. */
  #deliver = (count, lent, large, events) => {
    if (count < MORE) {
      this.#ring.acknowledge(MORE - count)
      return 0
    }
    // A delivery ends with a flush, but for the one that only asks to be called later.
    if (count !== MORE) this.#ring.wait()
    return this.#delivery.deliver(count, lent, large, events)
  }
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
   * @returns {Listener}
   */
  listen(spec, onEvent) {
    this.#attendLog()
    const { tls, ...rest } = spec
    const id = this.#nextListener++
    this.#native.listen(id, { ...rest, trust: this.#trust.prepare(tls) })
    const listener = new Listener(id, this.#forListeners(), onEvent)
    this.#listeners.set(id, listener)
    return listener
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
    this.#attach(socket, (read) => this.#native.connect(spec, read))
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

  /** Something is open that keeps the process alive, until as many calls of `release`. */
  hold() {
    if (this.#holds.count++ === 0) this.#native.hold(true)
  }

  /** What has called `hold` is gone. */
  release() {
    if (--this.#holds.count === 0) this.#native.hold(false)
  }

  /** What a listener needs of the hub. */
  #forListeners() {
    return {
      native: this.#native,
      trust: this.#trust,
      enter: () => this.#enter(),
      leave: () => this.#leave(),
      hold: () => this.hold(),
      release: () => this.release(),
      attach: (socket, open) => this.#attach(socket, open),
      reserve: (gateway) => this.#reserve(gateway),
      free: (link) => this.#free(link),
      forget: (id) => this.#listeners.delete(id),
    }
  }

  /** Gives a socket the connection that `open` begins, which is told how to read. */
  #attach(socket, open) {
    const link = new Link(this)
    const read = socket.attach(link)
    link.bind(open(read))
    this.#enlist(socket, link)
    this.hold()
  }

  /** A link without a connection, for what a gateway is told. */
  #reserve(gateway) {
    const link = new Link(this)
    link.bind(this.#native.reserve())
    this.#enlist(gateway, link)
    return link
  }

  #enlist(socket, link) {
    this.#sockets[link.number] = socket
    this.#links[link.number] = link
    this.#enter()
  }

  /** The socket knows that its connection is gone: the number may be given to another. */
  #detach(number) {
    this.#free(this.#links[number])
    this.release()
  }

  #free(link) {
    this.#sockets[link.number] = undefined
    this.#links[link.number] = undefined
    this.#delivery.forget(link.number)
    this.#native.forget(link.handle)
    link.unbind()
    this.#leave()
  }

  /** Something is open: the hub must live, although perhaps nobody refers to it. */
  #enter() {
    if (this.#open++ === 0) this.#native.root(true)
  }

  #leave() {
    if (--this.#open === 0) this.#native.root(false)
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
      listener.on(event)
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
    this.#listeners.get(event.listener)?.on(event)
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
