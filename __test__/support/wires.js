'use strict'

const http = require('node:http')
const https = require('node:https')
const net = require('node:net')
const tls = require('node:tls')
const { randomBytes } = require('node:crypto')
const { once } = require('node:events')
const { WebSocketServer } = require('ws')
require('./environment')
const certificate = require('./certificate')
const { Framer, RawPeer, acceptValue } = require('./raw-peer')

/**
 * An HTTP server on a free loopback port that hands out upgrade requests: to be answered by hand
 * (`raw`) or by a `ws` server (`upgrade`).
 */
class UpgradeServer {
  #tcp = new Map()
  #streams = new Set()

  /**
   * @param {Boolean} secure Whether to speak TLS
   */
  constructor(secure) {
    this.secure = secure
    this.server = secure
      ? https.createServer({ key: certificate.key, cert: certificate.cert })
      : http.createServer()
    this.server.on('connection', (socket) => {
      const port = socket.remotePort
      this.#tcp.set(port, socket)
      this.#streams.add(socket)
      socket.once('close', () => {
        // A port may be given again at once.
        if (this.#tcp.get(port) === socket) this.#tcp.delete(port)
        this.#streams.delete(socket)
      })
    })
  }

  /**
   * Starts to listen.
   *
   * @param {Function} onUpgrade Called with (request, socket, head)
   * @return {Promise<UpgradeServer>}
   */
  async listen(onUpgrade) {
    this.server.on('upgrade', (request, socket, head) => {
      socket.on('error', () => {})
      onUpgrade(request, socket, head)
    })
    this.server.listen(0, '127.0.0.1')
    await once(this.server, 'listening')
    this.port = this.server.address().port
    // No name: where it has two addresses, Node gives each a quarter of a second only.
    this.origin = `${this.secure ? 'wss' : 'ws'}://127.0.0.1:${this.port}`
    return this
  }

  /**
   * Answers an upgrade request by hand.
   *
   * @param {http.IncomingMessage} request
   * @param {net.Socket} socket
   * @param {Buffer} head
   * @param {Object} [options]
   * @param {Function} [options.trailing] Gives the bytes to send in the same segment as the 101
   * @param {String[]} [options.lines] Header lines instead of the usual ones
   * @param {String} [options.connection] The value of `Connection`
   * @param {String[]} [options.extra] Further header lines
   * @return {RawPeer}
   */
  raw(request, socket, head, { trailing, lines, connection = 'Upgrade', extra = [] } = {}) {
    const tcp = this.#tcp.get(socket.remotePort)
    const peer = new RawPeer(socket, { masks: false, tcp, head })
    const answer = lines ?? [
      'HTTP/1.1 101 Switching Protocols',
      'Upgrade: websocket',
      `Connection: ${connection}`,
      `Sec-WebSocket-Accept: ${acceptValue(request.headers['sec-websocket-key'])}`,
    ]
    const bytes = Buffer.from([...answer, ...extra, '', ''].join('\r\n'))
    peer.write(bytes, trailing ? trailing(peer) : Buffer.alloc(0))
    return peer
  }

  /** Stops listening and destroys what is left. */
  async close() {
    const closed = new Promise((resolve) => this.server.close(resolve))
    for (const stream of this.#streams) stream.destroy()
    await closed
  }
}

/**
 * The least of a relay: it takes listeners without asking for a token and announces senders that do
 * not exist, so that a test holds the other end of a listener's rendezvous itself.
 */
class FakeRelay {
  #controls = new Map()
  #pending = new Map()
  #control = new WebSocketServer({ noServer: true })
  #count = 0

  /**
   * @param {Boolean} secure
   * @return {Promise<FakeRelay>}
   */
  static async start(secure) {
    const relay = new FakeRelay()
    relay.wire = await new UpgradeServer(secure).listen((request, socket, head) =>
      relay.#upgrade(request, socket, head),
    )
    return relay
  }

  /**
   * The address on which a listener of a hybrid connection listens.
   *
   * @param {String} path
   * @return {String}
   */
  listenUri(path) {
    return `${this.wire.origin}/$hc/${path}?sb-hc-action=listen`
  }

  /**
   * Announces a sender and waits for the listener's rendezvous.
   *
   * @param {String} path
   * @param {Object} options
   * @param {String} [options.query=''] The sender's query, without the question mark
   * @param {String[]} [options.protocols] What the sender offers
   * @param {Object} [options.headers] Further headers of the sender
   * @param {Function} options.answer Called with (request, socket, head) of the rendezvous
   */
  announce(path, { query = '', protocols = [], headers = {}, answer }) {
    const control = this.#controls.get(path)
    const id = `00000000-0000-4000-8000-${String(++this.#count).padStart(12, '0')}`
    this.#pending.set(id, answer)
    const connectHeaders = {
      Host: `127.0.0.1:${this.wire.port}`,
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
      ...headers,
    }
    if (protocols.length > 0) connectHeaders['Sec-WebSocket-Protocol'] = protocols.join(',')
    const address =
      `${this.wire.origin}/$hc/${path}?${query ? `${query}&` : ''}` +
      `sb-hc-action=accept&sb-hc-id=${id}`
    const remoteEndpoint = { address: '127.0.0.1', port: 4242 }
    control.send(JSON.stringify({ accept: { address, id, connectHeaders, remoteEndpoint } }))
  }

  #upgrade(request, socket, head) {
    const url = new URL(request.url, this.wire.origin)
    const action = url.searchParams.get('sb-hc-action')
    if (action === 'listen') {
      this.#control.handleUpgrade(request, socket, head, (control) => {
        this.#controls.set(url.pathname.slice('/$hc/'.length), control)
      })
      return
    }
    const id = url.searchParams.get('sb-hc-id')
    const answer = this.#pending.get(id)
    this.#pending.delete(id)
    if (answer) answer(request, socket, head)
    else socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
  }

  /** Closes it and everything that is connected to it. */
  async close() {
    await this.wire.close()
  }
}

/**
 * Opens a connection to a WebSocket server by hand.
 *
 * @param {String} address A ws:// or wss:// address
 * @param {Object} [options]
 * @param {Function} [options.trailing] Gives the bytes to send in the same segment as the request
 * @param {String[]} [options.extra] Further header lines
 * @return {Promise<RawPeer>}
 */
async function rawConnect(address, { trailing, extra = [] } = {}) {
  const url = new URL(address)
  const tcp = net.connect({ host: '127.0.0.1', port: Number(url.port), noDelay: true })
  await once(tcp, 'connect')
  let stream = tcp
  if (url.protocol === 'wss:') {
    stream = tls.connect({ socket: tcp, servername: 'localhost', ca: certificate.ca })
    await once(stream, 'secureConnect')
  }
  const request = [
    `GET ${url.pathname}${url.search} HTTP/1.1`,
    `Host: ${url.host}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
    ...extra,
    '',
    '',
  ].join('\r\n')
  const rest = trailing ? trailing(new Framer(true)) : Buffer.alloc(0)
  stream.write(Buffer.concat([Buffer.from(request), rest]))
  const { head, status } = await readHead(stream)
  if (status !== 101) throw new Error(`the server answered ${status}`)
  return new RawPeer(stream, { masks: true, tcp, head })
}

/**
 * Reads a response head from a stream.
 *
 * @param {net.Socket} stream
 * @return {Promise<{status: Number, head: Buffer}>} `head` is what came after the blank line
 */
function readHead(stream) {
  return new Promise((resolve, reject) => {
    let bytes = Buffer.alloc(0)
    const onData = (chunk) => {
      bytes = Buffer.concat([bytes, chunk])
      const end = bytes.indexOf('\r\n\r\n')
      if (end === -1) return
      stream.pause() // nothing may be lost before the peer reads; it resumes the stream
      stream.removeListener('data', onData)
      stream.removeListener('close', onClose)
      const status = Number(bytes.subarray(9, 12).toString())
      resolve({ status, head: Buffer.from(bytes.subarray(end + 4)) })
    }
    const onClose = () => reject(new Error('closed before the response'))
    stream.on('error', () => {})
    stream.on('data', onData)
    stream.on('close', onClose)
  })
}

module.exports = { FakeRelay, UpgradeServer, rawConnect }
