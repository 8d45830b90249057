'use strict'

const { once } = require('node:events')
const WebSocket = require('ws')
const certificate = require('../certificate')
const { FakeRelay, rawConnect } = require('../wires')
const Pair = require('./pair')
const { Doors, PlainServer } = require('./plain-server')

/**
 * A socket of a plain `ws` server that meets a `ws` client.
 */
class WsServer extends Pair {
  kind = 'a ws server socket'
  role = 'server'
  masks = false
  relayed = false

  /**
   * Opens a subject and its peer; options as for `ClientPair.open`.
   *
   * @param {Object} [options]
   * @return {Promise<{subject: WebSocket, peer: WebSocket, request: http.IncomingMessage}>}
   */
  async open({ subject, peer, protocols, onSubject, onPeer } = {}) {
    const server = await this.cached(subject ?? {}, () => PlainServer.start(this.secure, subject))
    const number = this.number()
    const accepted = server.doors.wait(number, onSubject)
    const options = { ...this.trust, ...peer }
    const other = this.keep(new WebSocket(server.address(number), protocols, options))
    if (onPeer) onPeer(other)
    const [{ socket, request }] = await Promise.all([accepted, once(other, 'open')])
    return { subject: this.keep(socket), peer: other, request }
  }

  /**
   * Opens a subject whose peer is plain bytes; options as for `ClientPair.raw`.
   *
   * @param {Object} [options]
   * @return {Promise<{subject: WebSocket, peer: RawPeer}>}
   */
  async raw({ subject, onSubject, trailing, extra } = {}) {
    const server = await this.cached(subject ?? {}, () => PlainServer.start(this.secure, subject))
    const number = this.number()
    const accepted = server.doors.wait(number, onSubject)
    const peer = this.keepRaw(await rawConnect(server.address(number), { trailing, extra }))
    const { socket } = await accepted
    return { subject: this.keep(socket), peer }
  }

  /**
   * Starts a server for one row.
   *
   * @param {Object} options
   * @return {Promise<Object>} With `server`, `connect(protocols, options)` and `close()`
   */
  async serve(options) {
    const plain = await PlainServer.start(this.secure, options)
    plain.sockets.removeListener('connection', plain.doors.connection)
    return {
      server: plain.sockets,
      address: plain.origin,
      connect: (protocols, client) => {
        const socket = new WebSocket(plain.origin, protocols, { ...this.trust, ...client })
        return this.keep(socket)
      },
      close: () => plain.close(),
    }
  }
}

/**
 * A socket of a `RelayedServer`: through the local relay it meets a `ws` client; `direct` and `raw`
 * put the other end of its rendezvous into the hands of the row, since a relay keeps pings and the
 * boundaries of fragments to itself.
 */
class RelayedListener extends Pair {
  kind = 'a relayed listener socket'
  role = 'server'
  masks = true
  relayed = true
  #paths = 0

  /**
   * Opens a subject and its peer; options as for `ClientPair.open`.
   *
   * @param {Object} [options]
   * @param {Boolean} [options.direct] Whether the peer sits at the rendezvous itself
   * @return {Promise<{subject: WebSocket, peer: WebSocket, request: http.IncomingMessage}>}
   */
  async open({ direct, ...options } = {}) {
    return direct ? this.#openDirect(options) : this.#openRelayed(options)
  }

  async #openRelayed({ subject, peer, protocols, onSubject, onPeer }) {
    const listener = await this.cached(['relayed', subject], () => this.#listen(subject))
    const number = this.number()
    const accepted = listener.doors.wait(number, onSubject)
    const other = this.keep(listener.connect(protocols, peer, `?pair=${number}`))
    if (onPeer) onPeer(other)
    const [{ socket, request }] = await Promise.all([accepted, once(other, 'open')])
    return { subject: this.keep(socket), peer: other, request }
  }

  async #openDirect({ subject, peer, protocols, onSubject, onPeer }) {
    const listener = await this.cached(['fake', subject], () => this.#listenAtFake(subject))
    const sockets = new WebSocket.WebSocketServer({ ...peer, noServer: true })
    const number = this.number()
    const accepted = listener.doors.wait(number, onSubject)
    const answered = new Promise((resolve) => {
      const answer = (...upgrade) =>
        sockets.handleUpgrade(...upgrade, (other) => {
          if (onPeer) onPeer(other)
          resolve(other)
        })
      this.fake.announce(listener.path, { query: `pair=${number}`, protocols, answer })
    })
    const [{ socket, request }, other] = await Promise.all([accepted, answered])
    return { subject: this.keep(socket), peer: this.keep(other), request }
  }

  /**
   * Opens a subject whose peer is plain bytes; options as for `ClientPair.raw`.
   *
   * @param {Object} [options]
   * @return {Promise<{subject: WebSocket, peer: RawPeer}>}
   */
  async raw({ subject, onSubject, protocols, ...answerOptions } = {}) {
    const listener = await this.cached(['fake', subject], () => this.#listenAtFake(subject))
    const number = this.number()
    const accepted = listener.doors.wait(number, onSubject)
    const answered = new Promise((resolve) => {
      const answer = (request, socket, head) =>
        resolve(this.keepRaw(this.fake.wire.raw(request, socket, head, answerOptions)))
      this.fake.announce(listener.path, { query: `pair=${number}`, protocols, answer })
    })
    const [{ socket }, peer] = await Promise.all([accepted, answered])
    return { subject: this.keep(socket), peer }
  }

  /**
   * Starts a server for one row.
   *
   * @param {Object} options
   * @return {Promise<Object>} With `server`, `connect(protocols, options)` and `close()`
   */
  async serve(options) {
    const listener = await this.#listen(options, false)
    return {
      server: listener.server,
      address: listener.address,
      connect: (protocols, client) => this.keep(listener.connect(protocols, client)),
      close: () => listener.close(),
    }
  }

  async #listen(options, withDoors = true) {
    const hyco = require('../../..')
    if (!this.relay) {
      const names = Array.from({ length: 100 }, (_, i) => `c${i}`)
      const tls = this.secure ? { key: certificate.key, cert: certificate.cert } : undefined
      this.relay = require('../relay').start({ tls, hybridConnections: names })
    }
    const relay = await this.relay
    const path = `c${this.#paths++}`
    const doors = new Doors()
    const server = new hyco.RelayedServer({
      ...options,
      server: relay.listenUri(path),
      token: () => relay.token(),
      ...(this.secure && { tls: { ca: certificate.ca } }),
    })
    if (withDoors) server.on('connection', doors.connection)
    await once(server, 'listening')
    return {
      server,
      doors,
      address: relay.sendUri(path),
      connect: (protocols, client, suffix = '') =>
        new WebSocket(relay.sendUri(path + suffix), protocols, {
          ...this.trust,
          ...client,
          headers: { ServiceBusAuthorization: relay.token(), ...client?.headers },
        }),
      close: () => new Promise((resolve) => server.close(resolve)),
    }
  }

  async #listenAtFake(options) {
    const hyco = require('../../..')
    this.fakeStarting ??= FakeRelay.start(this.secure)
    this.fake = await this.fakeStarting
    const path = `f${this.#paths++}`
    const doors = new Doors()
    const server = new hyco.RelayedServer({
      ...options,
      server: this.fake.listenUri(path),
      token: 'none is needed',
      keepAliveInterval: 0,
      ...(this.secure && { tls: { ca: certificate.ca } }),
    })
    server.on('connection', doors.connection)
    await once(server, 'listening')
    return { path, doors, close: () => new Promise((resolve) => server.close(resolve)) }
  }

  /** Closes listeners and relays. */
  async close() {
    await super.close()
    if (this.fake) await this.fake.close()
    if (this.relay) await (await this.relay).close()
  }
}

module.exports = { RelayedListener, WsServer }
