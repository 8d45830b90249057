'use strict'

const { once } = require('node:events')
const http = require('node:http')
const https = require('node:https')
const WebSocket = require('ws')
const certificate = require('../certificate')

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
    server.origin = `${secure ? 'wss' : 'ws'}://127.0.0.1:${server.port}`
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

module.exports = { Doors, PlainServer }
