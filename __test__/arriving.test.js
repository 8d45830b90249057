'use strict'

const assert = require('node:assert/strict')
const { createHash } = require('node:crypto')
const { once } = require('node:events')
const http = require('node:http')
const { afterEach, beforeEach, describe, it } = require('node:test')
const WebSocket = require('ws')

const hyco = require('..')

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const TEXT = Buffer.from([0x81, 2, 0x68, 0x69])
const CLOSE = Buffer.from([0x88, 2, 0x0f, 0xa1])

/** A relay whose answer to a handshake has frames right behind it, in the same piece. */
class HastyRelay {
  #http = http.createServer()
  #controls = new WebSocket.Server({ noServer: true })
  #sockets = []
  /** What comes behind the answer. */
  frames = TEXT

  async start() {
    this.#http.on('upgrade', (request, socket, head) => {
      if (!request.url.includes('sb-hc-action=listen')) return this.#answer(request, socket)
      this.#controls.handleUpgrade(request, socket, head, (control) => {
        const address = `${this.address}?sb-hc-action=accept&sb-hc-id=1`
        control.send(JSON.stringify({ accept: { address, id: '1', connectHeaders: {} } }))
      })
    })
    this.#http.listen(0, '127.0.0.1')
    await once(this.#http, 'listening')
  }

  get address() {
    return `ws://127.0.0.1:${this.#http.address().port}/$hc/hyco`
  }

  #answer({ headers }, socket) {
    const accept = createHash('sha1')
      .update(headers['sec-websocket-key'] + GUID)
      .digest('base64')
    const lines = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade']
    const head = `${[...lines, `Sec-WebSocket-Accept: ${accept}`].join('\r\n')}\r\n\r\n`
    this.#sockets.push(socket)
    socket.on('error', () => {})
    socket.write(Buffer.concat([Buffer.from(head), this.frames]))
  }

  async close() {
    for (const control of this.#controls.clients) control.terminate()
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#http.close(resolve))
  }
}

describe('what comes together with the answer to a handshake', { timeout: 300_000 }, () => {
  let relay
  let ends

  beforeEach(async () => {
    ends = []
    relay = new HastyRelay()
    await relay.start()
  })

  afterEach(async () => {
    await Promise.all(ends.map((end) => end()))
    await relay.close()
  })

  function listen() {
    const server = new hyco.RelayedServer({
      server: `${relay.address}?sb-hc-action=listen`,
      token: 'any',
      closeTimeout: 50, // nobody answers close frames there
    })
    server.on('error', () => {})
    ends.push(() => server.close())
    return server
  }

  function connect() {
    const sender = hyco.relayedConnect(`${relay.address}?sb-hc-action=connect`, null)
    ends.push(() => sender.terminate())
    return sender
  }

  it('is not lost for who awaits the connection of a sender', async () => {
    const [socket] = await once(listen(), 'connection')
    assert.equal(String((await once(socket, 'message'))[0]), 'hi')
  })

  it('is not lost for who awaits the opening of a sender', async () => {
    const sender = connect()
    await once(sender, 'open')
    assert.equal(String((await once(sender, 'message'))[0]), 'hi')
  })

  it('comes in its order, to the end', async () => {
    relay.frames = Buffer.concat([TEXT, TEXT, CLOSE])
    const [socket] = await once(listen(), 'connection')
    const told = []
    socket.on('message', (data) => told.push(String(data)))
    const [code] = await once(socket, 'close')
    assert.deepEqual([...told, code], ['hi', 'hi', 4001])
  })

  it('waits while the socket is paused, and comes after it goes on', async () => {
    const server = listen()
    const [socket] = await new Promise((resolve) => {
      server.once('connection', (...args) => {
        args[0].pause()
        args[0].resume()
        resolve(args)
      })
    })
    assert.equal(String((await once(socket, 'message'))[0]), 'hi')
    assert.equal(socket.isPaused, false)
  })

  it('comes after the listeners of the connection have run, also at once', async () => {
    const order = []
    const server = listen()
    await new Promise((resolve) => {
      server.on('connection', (socket) => {
        order.push('connection')
        socket.on('open', () => order.push('open'))
        socket.on('message', () => resolve(order.push('message')))
      })
    })
    assert.deepEqual(order, ['connection', 'open', 'message'])
  })
})
