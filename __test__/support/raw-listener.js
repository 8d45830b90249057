'use strict'

const { once } = require('node:events')
const WebSocket = require('ws')

/**
 * A listener of which every word is written by the test, over `ws`.
 */
class RawListener {
  #control
  #requests = []
  #waiting = []
  #awaitsBody = null
  #echoes = false

  /**
   * @param {HttpSetting} setting
   * @return {Promise<RawListener>}
   */
  static async start(setting) {
    const listener = new RawListener()
    listener.#control = new WebSocket(setting.relay.listenUri('hyco'), {
      headers: { ServiceBusAuthorization: setting.relay.token() },
      perMessageDeflate: false,
    })
    await once(listener.#control, 'open')
    listener.#control.on('message', (data, isBinary) => void listener.#take(data, isBinary))
    return listener
  }

  /** The next request: `request`, its `body`, and its `rendezvous` if it was fetched there. */
  next() {
    const request = this.#requests.shift()
    return request ?? new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** Answers all requests with their bodies from now on. */
  echo() {
    this.#echoes = true
  }

  /** Leaves requests to the test again. */
  reset() {
    this.#echoes = false
    this.#requests.length = 0
  }

  /** Sends a command on the control channel. */
  send(command) {
    this.#control.send(JSON.stringify(command))
  }

  /** The text message that begins a response. */
  response(request, statusCode, body, responseHeaders = {}) {
    return JSON.stringify({
      response: { requestId: request.id, statusCode, responseHeaders, body },
    })
  }

  /** Answers a request, on its rendezvous or on the control channel. */
  async answer(request, statusCode, body, rendezvous, headers) {
    const socket = rendezvous ?? this.#control
    socket.send(this.response(request, statusCode, body !== undefined, headers))
    if (body === undefined) return
    if (rendezvous === undefined) {
      socket.send(Buffer.from(body))
      return
    }
    const bytes = Buffer.from(body)
    for (let at = 0; at < bytes.length; at += 50_000) {
      socket.send(bytes.subarray(at, at + 50_000), { binary: true, fin: false })
    }
    socket.send('', { binary: true, fin: true })
  }

  /** Opens the rendezvous of a request. */
  async dial(address) {
    const socket = new WebSocket(address, { perMessageDeflate: false })
    socket.on('error', () => {})
    await once(socket, 'open')
    return socket
  }

  close() {
    this.#control.terminate()
  }

  async #take(data, isBinary) {
    if (isBinary) {
      const request = this.#awaitsBody
      this.#awaitsBody = null
      this.#put({ request, body: data })
      return
    }
    const { request } = JSON.parse(data)
    const members = Object.keys(request)
    if (request.method === undefined) {
      const rendezvous = new WebSocket(request.address, { perMessageDeflate: false })
      rendezvous.on('error', () => {})
      const messages = []
      await new Promise((resolve) => {
        // The request may come in the same piece as the answer to the handshake.
        rendezvous.on('message', (message) => {
          messages.push(message)
          if (messages.length === 2) resolve()
        })
      })
      this.#put({
        request: JSON.parse(messages[0]).request,
        body: messages[1],
        rendezvous,
        members,
      })
    } else if (request.body) {
      this.#awaitsBody = request
    } else {
      this.#put({ request, members })
    }
  }

  #put(arrived) {
    if (this.#echoes) {
      const { request, body = Buffer.alloc(0), rendezvous } = arrived
      void this.answer(request, 200, body, rendezvous)
      return
    }
    const waiting = this.#waiting.shift()
    if (waiting) waiting(arrived)
    else this.#requests.push(arrived)
  }
}

module.exports = RawListener
