'use strict'

const Accept = require('./accept')
const Clients = require('./clients')
const { wanted } = require('../diagnostics')
const { SENDER_GONE } = require('../errors')
const { socketOptions } = require('../options/options')
const RelayedRequest = require('./request')
const { fail } = require('../socket/opening')
const { createSocket } = require('../socket/relayed-socket')

/** What a sender is refused with for whom there is no room. */
const BUSY = 503

/** One for all sockets. */
const ignore = () => {}

/** What becomes of a sender who is being met. */
class Meeting {
  server
  leave
  #senders
  #request

  constructor(senders, server, leave, request) {
    this.server = server
    this.leave = leave
    this.#senders = senders
    this.#request = request
  }

  opened(socket) {
    this.#senders.opened(socket, this.#request)
  }

  failed(socket, error) {
    this.#senders.failed(socket, this.#request, error)
  }
}

/**
 * The senders of a server: those about whom a handler decides, those who are being met, and those whose
 * sockets are open.
 */
class Senders {
  clients = new Clients()
  #server
  #options
  #tell
  #settled
  /** What all sockets call when they are closed. */
  #leave = (socket) => this.#left(socket)
  #hub = null
  #listener = null
  #counts = { accepted: 0, rejected: 0, failed: 0, abandoned: 0 }
  /** About whom a handler decides. */
  #undecided = new Set()
  /** Sockets whose rendezvous is dialled. */
  #dialling = new Set()
  /** Sockets that are open. */
  #live = new Set()

  /**
   * @param {RelayedServer} server Emits what happens
   * @param {Object} options Those of the server
   * @param {Function} tell Tells those who have subscribed to such events
   * @param {Function} settled Called when a socket is gone
   */
  constructor(server, options, tell, settled) {
    this.#server = server
    this.#options = options
    this.#tell = tell
    this.#settled = settled
  }

  /**
   * Says by whom the senders are announced.
   *
   * @param {Hub} hub
   * @param {Listener} listener
   */
  comeFrom(hub, listener) {
    this.#hub = hub
    this.#listener = listener
  }

  /** @return {Object} what became of them, and how many there are now */
  metrics() {
    return {
      ...this.#counts,
      active: this.#live.size,
      pending: this.#undecided.size + this.#dialling.size,
    }
  }

  /** @return {Boolean} whether no socket is open or about to be */
  isEmpty() {
    return this.#live.size === 0 && this.#dialling.size === 0
  }

  /**
   * A sender is there: decides about it, then dials its rendezvous or refuses it.
   *
   * @param {Object} event What the relay says about it
   * @param {Boolean} isStopped Whether nobody is accepted any more
   */
  decide(event, isStopped) {
    const request = new RelayedRequest(event)
    if (wanted('accept:asked')) this.#tell('accept:asked', { request, trackingId: event.id })
    const decision = new Accept(event, request, this.#options, this)
    this.#undecided.add(decision)
    if (isStopped) decision.giveUp()
    else decision.start()
  }

  /** @return {Boolean} @package */
  hearsHeaders() {
    return this.#server.listenerCount('headers') > 0
  }

  /** @package */
  showHeaders({ request }, lines) {
    this.#server.emit('headers', lines, request)
  }

  /** The decision is to take the sender. @package */
  accept(decision, protocol, headers) {
    this.#undecided.delete(decision)
    this.#dial(decision, protocol, headers)
  }

  /** The decision is to refuse the sender. @package */
  reject(decision, statusCode, reason, error) {
    const { event, request } = decision
    this.#undecided.delete(decision)
    this.#counts.rejected++
    this.#listener.reject(event.accept, statusCode, reason)
    this.#tell('accept:rejected', { request, statusCode, reason, error, trackingId: event.id })
    if (error) this.#hub.guard(() => this.#server.emit('acceptError', error, request))
  }

  /** Refuses those about whom nobody has decided. */
  refuseUndecided() {
    for (const decision of this.#undecided) decision.giveUp()
  }

  /** Gives up those who are about to be met. */
  giveUp() {
    for (const socket of this.#dialling) socket.terminate()
    this.#dialling.clear()
  }

  /**
   * A sender could not be met, or not be told of its refusal. One that has left is no error.
   *
   * @param {Error} error
   * @param {(RelayedRequest|null)} request
   */
  unmet(error, request) {
    const trackingId = request?.trackingId ?? error.trackingId
    this.#tell('accept:failed', { request, error, trackingId })
    // With a status, it is the relay that knows the sender no more; without, the decision was late.
    if (error.code === SENDER_GONE && error.statusCode !== undefined) {
      this.#counts.abandoned++
      return
    }
    this.#counts.failed++
    this.#hub.guard(() => this.#server.emit('acceptError', error, request))
  }

  #dial({ event, request }, protocol, headers) {
    const hooks = new Meeting(this, this.#server, this.#leave, request)
    const core = createSocket(event.address, socketOptions(this.#options), hooks)
    this.#dialling.add(core.face)
    try {
      this.#listener.accept(event.accept, core, protocol, headers)
    } catch (error) {
      // Nothing is dialled, and the sender would wait until its own time is over.
      this.#listener.reject(event.accept, BUSY, 'The listener is busy')
      fail(core, error)
    }
  }

  /** The rendezvous is open. @package */
  opened(socket, request) {
    this.#dialling.delete(socket)
    this.#counts.accepted++
    this.#live.add(socket)
    if (this.#options.clientTracking) this.clients.add(socket)
    // As hyco-ws does: what a sender sends wrong must not end a program that does not listen for it.
    socket.on('error', ignore)
    if (wanted('accept:accepted')) {
      this.#tell('accept:accepted', { request, socket, trackingId: request.trackingId })
    }
    this.#server.emit('connection', socket, request)
  }

  #left(socket) {
    this.#live.delete(socket)
    this.clients.delete(socket)
    this.#settled()
  }

  /** The rendezvous could not be opened. @package */
  failed(socket, request, error) {
    // Not there any more when it was given up by close().
    if (!this.#dialling.delete(socket)) return
    this.unmet(error, request)
    this.#settled()
  }
}

module.exports = Senders
