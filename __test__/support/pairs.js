'use strict'

const { once } = require('node:events')
const http = require('node:http')
const https = require('node:https')
const WebSocket = require('ws')
const certificate = require('./certificate')
const { FakeRelay, UpgradeServer, rawConnect } = require('./wires')

/**
 * What every kind of pair has in common: the sockets of a row are remembered and ended after it.
 *
 * A *subject* is the socket under test, a *peer* the one at the other end: a `ws` socket from
 * `open()`, plain bytes from `raw()`.
 */
class Pair {
  #sockets = new Set()
  #peers = new Set()
  #count = 0
  #servers = new Map()

  /**
   * @param {Boolean} secure Whether to speak TLS
   */
  constructor(secure) {
    this.secure = secure
    this.scheme = secure ? 'wss' : 'ws'
  }

  /** How the pair is called in the names of tests. */
  get name() {
    return `${this.kind} over ${this.secure ? 'TLS' : 'TCP'}`
  }

  /** Makes a number that no other row of this pair has. */
  number() {
    return ++this.#count
  }

  /**
   * Remembers a socket, so that it is ended after the row.
   *
   * @param {WebSocket} socket
   * @return {WebSocket}
   */
  keep(socket) {
    this.#sockets.add(socket)
    return socket
  }

  /**
   * Remembers a raw peer, so that it is destroyed after the row.
   *
   * @param {RawPeer} peer
   * @return {RawPeer}
   */
  keepRaw(peer) {
    this.#peers.add(peer)
    return peer
  }

  /**
   * Ends a socket that will never emit `'close'`: a `ws` socket is stuck after an exception of a
   * message listener.
   *
   * @param {WebSocket} socket
   */
  forget(socket) {
    this.#sockets.delete(socket)
    socket.terminate()
  }

  /** Ends what the row left open, and waits for it. */
  async sweep() {
    const ends = []
    for (const socket of this.#sockets) {
      if (socket.readyState === WebSocket.CLOSED) continue
      socket.removeAllListeners('message')
      socket.on('error', () => {})
      ends.push(new Promise((resolve) => socket.once('close', resolve)))
      socket.terminate()
    }
    this.#sockets.clear()
    await Promise.all(ends)
    for (const peer of this.#peers) peer.destroy()
    this.#peers.clear()
  }

  /**
   * A server made once for its options.
   *
   * @param {Object} options
   * @param {Function} make
   * @return {Promise<Object>}
   */
  cached(options, make) {
    const key = JSON.stringify(options)
    if (!this.#servers.has(key)) this.#servers.set(key, make())
    return this.#servers.get(key)
  }

  /** The TLS option of a `ws` client. */
  get trust() {
    return this.secure ? { ca: certificate.ca } : {}
  }

  /** Closes the servers. */
  async close() {
    await this.sweep()
    for (const server of this.#servers.values()) await (await server).close()
  }
}

/**
 * Gives sockets that a server accepts to those who wait for them, by the number in their address.
 */
class Doors {
  #waiting = new Map()

  /**
   * @param {Number} number
   * @param {Function} [first] Called with (socket, request) as soon as there is a socket
   * @return {Promise<{socket: WebSocket, request: http.IncomingMessage}>}
   */
  wait(number, first) {
    return new Promise((resolve) => this.#waiting.set(String(number), { first, resolve }))
  }

  /**
   * The listener for a server's `'connection'` event.
   *
   * @param {WebSocket} socket
   * @param {http.IncomingMessage} request
   */
  connection = (socket, request) => {
    const number = new URL(request.url, 'ws://localhost').searchParams.get('pair')
    const waiting = this.#waiting.get(number)
    if (waiting === undefined) {
      socket.terminate() // of a client that was given up before it was open
      return
    }
    const { first, resolve } = waiting
    this.#waiting.delete(number)
    if (first) first(socket, request)
    resolve({ socket, request })
  }
}

/**
 * A plain `ws` server.
 */
class PlainServer {
  /**
   * @param {Boolean} secure
   * @param {Object} options Of `ws.WebSocketServer`
   * @return {Promise<PlainServer>}
   */
  static async start(secure, options) {
    const server = new PlainServer()
    server.doors = new Doors()
    const { key, cert } = certificate
    server.http = secure ? https.createServer({ key, cert }) : http.createServer()
    server.streams = new Set()
    server.http.on('connection', (stream) => server.streams.add(stream))
    server.sockets = new WebSocket.WebSocketServer({ ...options, server: server.http })
    server.http.listen(0, '127.0.0.1')
    await once(server.http, 'listening')
    server.port = server.http.address().port
    server.origin = `${secure ? 'wss' : 'ws'}://localhost:${server.port}`
    server.sockets.on('connection', server.doors.connection)
    return server
  }

  /**
   * The address for one row.
   *
   * @param {Number} number
   * @return {String}
   */
  address(number) {
    return `${this.origin}/?pair=${number}`
  }

  /** Stops it and cuts what is connected to it. */
  async close() {
    const end = new Promise((resolve) => this.http.close(resolve))
    for (const stream of this.streams) stream.destroy()
    await end
  }
}

/**
 * Pairs whose subject is the client of a plain server.
 */
class ClientPair extends Pair {
  role = 'client'
  masks = true
  relayed = false

  /**
   * Opens a subject and its peer.
   *
   * @param {Object} [options]
   * @param {Object} [options.subject] Options of the subject
   * @param {Object} [options.peer] Options of the peer
   * @param {String[]} [options.protocols] What the client offers
   * @param {Function} [options.onSubject] Called as soon as there is a subject
   * @param {Function} [options.onPeer] Called as soon as there is a peer
   * @return {Promise<{subject: WebSocket, peer: WebSocket, request: http.IncomingMessage}>}
   */
  async open({ subject, peer, protocols, onSubject, onPeer } = {}) {
    const server = await this.server(peer)
    const number = this.number()
    const accepted = server.doors.wait(number, onPeer)
    const socket = this.keep(this.connect(server.address(number), protocols, subject))
    if (onSubject) onSubject(socket)
    const [{ socket: other, request }] = await Promise.all([accepted, once(socket, 'open')])
    return { subject: socket, peer: this.keep(other), request }
  }

  /**
   * Opens a subject whose peer is plain bytes.
   *
   * @param {Object} [options] As for `open`, and those of `UpgradeServer.raw`
   * @return {Promise<{subject: WebSocket, peer: RawPeer}>} `subject` is not open yet when the answer
   *     is not one that opens it
   */
  async raw({ subject, protocols, onSubject, ...answer } = {}) {
    if (!this.wire) {
      this.wire = new UpgradeServer(this.secure)
      this.answers = new Map()
      await this.wire.listen((request, socket, head) => {
        const number = new URL(request.url, 'ws://localhost').searchParams.get('pair')
        this.answers.get(number)(request, socket, head)
        this.answers.delete(number)
      })
    }
    const number = String(this.number())
    const answered = new Promise((resolve) => {
      this.answers.set(number, (request, socket, head) =>
        resolve(this.keepRaw(this.wire.raw(request, socket, head, answer))),
      )
    })
    const address = `${this.wire.origin}/?pair=${number}`
    const socket = this.keep(this.connect(address, protocols, subject))
    if (onSubject) onSubject(socket)
    if (answer.lines === undefined) await once(socket, 'open')
    return { subject: socket, peer: await answered, address }
  }

  /**
   * The plain server that peers come from.
   *
   * @param {Object} [options] Of the peers
   * @return {Promise<PlainServer>}
   */
  server(options = {}) {
    return this.cached(options, () => PlainServer.start(this.secure, options))
  }

  /**
   * The address of a server that never answers a handshake.
   *
   * @return {Promise<String>}
   */
  async deaf() {
    this.silent ??= await new UpgradeServer(this.secure).listen(() => {})
    return `${this.silent.origin}/`
  }

  /** Closes the servers. */
  async close() {
    await super.close()
    if (this.wire) await this.wire.close()
    if (this.silent) await this.silent.close()
  }
}

/**
 * A `ws` client that meets a plain `ws` server.
 */
class WsClient extends ClientPair {
  kind = 'a ws client'

  /**
   * @param {String} address
   * @param {String[]} [protocols]
   * @param {Object} [options]
   * @return {WebSocket}
   */
  connect(address, protocols, options) {
    return new WebSocket(address, protocols, { ...this.trust, ...options })
  }
}

/**
 * A socket from `relayedConnect` that meets a plain `ws` server: a relay's sender is just a WebSocket
 * client.
 */
class RelayedSender extends ClientPair {
  kind = 'a relayed sender'
  relayed = true

  /**
   * @param {String} address
   * @param {String[]} [protocols]
   * @param {Object} [options]
   * @return {RelayedSocket}
   */
  connect(address, protocols, options) {
    const tls = this.secure ? { tls: { ca: certificate.ca } } : {}
    return require('../..').relayedConnect(address, null, { ...tls, protocols, ...options })
  }
}

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
    const hyco = require('../..')
    if (!this.relay) {
      const names = Array.from({ length: 100 }, (_, i) => `c${i}`)
      const tls = this.secure ? { key: certificate.key, cert: certificate.cert } : undefined
      this.relay = require('./relay').start({ tls, hybridConnections: names })
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
    const hyco = require('../..')
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

module.exports = { RelayedListener, RelayedSender, WsClient, WsServer }
