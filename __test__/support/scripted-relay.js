'use strict'

const { randomUUID } = require('node:crypto')
const { once } = require('node:events')
const http = require('node:http')
const { WebSocketServer } = require('ws')
require('./environment')

/**
 * A relay that does what a test tells it: it takes control channels, announces senders that do not
 * exist, and shows the handshakes that come to their addresses. It is made of `ws`.
 */
class ScriptedRelay {
  #http = http.createServer()
  #webSockets = new WebSocketServer({
    noServer: true,
    handleProtocols: (offered) => [...offered][0],
  })
  #sockets = new Set()
  #waiting = []

  /** The control channel that came last. */
  channel = null

  /** What listeners have said on their control channels, as texts. */
  said = []

  /** The requests for a control channel, in order. */
  listened = []

  /**
   * Answers the next requests for a control channel: a status and a reason each, `null` for 101, or
   * `'silence'`.
   */
  answers = []

  /** Status and reason with which handshakes at a sender's address are refused; `null` for none. */
  refusesAccepts = null

  /** Whether handshakes at a sender's address are left without an answer. */
  holdsAccepts = false

  /**
   * @return {Promise<ScriptedRelay>}
   */
  static async start() {
    const relay = new ScriptedRelay()
    relay.#http.on('upgrade', (request, socket, head) => relay.#upgrade(request, socket, head))
    relay.#http.on('connection', (socket) => {
      relay.#sockets.add(socket)
      socket.on('close', () => relay.#sockets.delete(socket))
    })
    relay.#http.listen(0, '127.0.0.1')
    await once(relay.#http, 'listening')
    return relay
  }

  /** Scheme, host and port, as the address helpers take them. */
  get namespace() {
    return `ws://127.0.0.1:${this.#http.address().port}`
  }

  /** Where to listen. */
  get listenUri() {
    return `${this.namespace}/$hc/hyco?sb-hc-action=listen`
  }

  /**
   * Announces a sender to the listener.
   *
   * @param {Object} [headers] Of the sender's handshake
   * @param {Object} [remoteEndpoint] Where the sender is
   * @return {Promise<Object>} `request` of the listener at the rendezvous, its `url` and `stream`; and
   *     `socket`, the WebSocket, when it is no rejection
   */
  announce(headers = {}, remoteEndpoint = { address: '127.0.0.1', port: 4711 }) {
    const id = randomUUID()
    const address = `${this.namespace}/$hc/hyco?sb-hc-action=accept&sb-hc-id=${id}`
    const met = new Promise((resolve) => this.#waiting.push({ id, resolve }))
    this.channel.send(
      JSON.stringify({
        accept: {
          address,
          id,
          connectHeaders: headers,
          remoteEndpoint,
        },
      }),
    )
    return met
  }

  /**
   * Sends an HTTP request to the listener.
   *
   * @param {Object} request Its members but the address and the id
   */
  request(request) {
    const id = randomUUID()
    const address = `${this.namespace}/$hc/hyco?sb-hc-action=request&sb-hc-id=${id}`
    this.channel.send(JSON.stringify({ request: { address, id, ...request } }))
  }

  /** Ends every connection and the relay. */
  async close() {
    for (const socket of this.#sockets) socket.destroy()
    this.#http.close()
    await once(this.#http, 'close')
  }

  #upgrade(request, socket, head) {
    socket.on('error', () => {})
    const url = new URL(request.url, this.namespace)
    if (url.searchParams.get('sb-hc-action') === 'accept') {
      this.#meet(url, request, socket, head)
      return
    }
    this.listened.push(request)
    const answer = this.answers.shift()
    if (answer === 'silence') return
    if (answer) {
      socket.end(`HTTP/1.1 ${answer[0]} ${answer[1]}\r\nContent-Length: 0\r\n\r\n`)
      return
    }
    this.#webSockets.handleUpgrade(request, socket, head, (channel) => {
      this.channel = channel
      channel.on('message', (data) => this.said.push(String(data)))
    })
  }

  #meet(url, request, socket, head) {
    const id = url.searchParams.get('sb-hc-id')
    const index = this.#waiting.findIndex((waiting) => waiting.id === id)
    const [{ resolve }] = this.#waiting.splice(index, 1)
    if (url.searchParams.has('sb-hc-statusCode')) {
      socket.end('HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n')
      resolve({ request, stream: socket, url })
      return
    }
    if (this.refusesAccepts) {
      const [status, reason] = this.refusesAccepts
      socket.end(`HTTP/1.1 ${status} ${reason}\r\nContent-Length: 0\r\n\r\n`)
      resolve({ request, stream: socket, url })
      return
    }
    if (this.holdsAccepts) {
      // Read, so that its end is noticed.
      socket.resume().on('end', () => socket.destroy())
      resolve({ request, stream: socket, url })
      return
    }
    this.#webSockets.handleUpgrade(request, socket, head, (met) => {
      resolve({ request, socket: met, stream: socket, url })
    })
  }
}

module.exports = ScriptedRelay
