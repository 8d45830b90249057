'use strict'

const { once } = require('node:events')
const WebSocket = require('ws')
const certificate = require('../certificate')
const { UpgradeServer } = require('../wires')
const Pair = require('./pair')
const { PlainServer } = require('./plain-server')

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
    return require('../../..').relayedConnect(address, null, { ...tls, protocols, ...options })
  }
}

module.exports = { RelayedSender, WsClient }
