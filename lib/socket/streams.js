'use strict'

const { ReadableStream, WritableStream } = require('node:stream/web')
const { CLOSED, CONNECTING } = require('ws')

const { CONNECTION_LOST, createError } = require('../errors')
const { setImmediate } = require('../globals')
const Messages = require('./messages')

/** What may be on its way before a writer waits, in bytes. */
const MOST = 64 * 1024

const NORMAL_CLOSURE = 1000
const ABNORMAL = 1006

/**
 * The messages of a socket as a stream. It holds nothing itself, so that the socket is paused when
 * nobody reads.
 *
 * @param {SocketCore} core
 * @return {ReadableStream}
 */
function readableOf(core) {
  const messages = new Messages(core)
  let ended = false
  return new ReadableStream(
    {
      start(controller) {
        // Who waits only for the end of the stream takes no message, and learns it all the same.
        messages.onOver = (error) => {
          if (ended) return
          ended = true
          if (error === null) controller.close()
          else controller.error(error)
        }
      },
      async pull(controller) {
        const { done, value } = await messages.next()
        if (!done) controller.enqueue(value)
        else if (!ended) controller.close()
        ended ||= done
      },
      async cancel() {
        ended = true
        await messages.return()
        await closed(core.face)
      },
    },
    { highWaterMark: 0 },
  )
}

/**
 * A stream that sends.
 *
 * @param {RelayedSocket} socket
 * @return {WritableStream}
 */
function writableOf(socket) {
  /** What a chunk that is still to be written out waits for. */
  let fail = null
  return new WritableStream({
    start(controller) {
      if (socket.readyState === CLOSED) {
        controller.error(createError(CONNECTION_LOST, 'the socket is closed'))
        return undefined
      }
      socket.on('error', (error) => controller.error(error))
      socket.on('close', (code) => {
        const error = createError(CONNECTION_LOST, `the socket is closed (${code})`)
        fail?.(error)
        // A pipe from its readable side ends first, and closes this side without an error.
        if (code === ABNORMAL) controller.error(error)
        else setImmediate(() => controller.error(error))
      })
      if (socket.readyState !== CONNECTING) return undefined
      return new Promise((resolve, reject) => {
        socket.once('open', resolve)
        socket.once('error', reject)
        socket.once('close', resolve)
      })
    },
    write(chunk) {
      return new Promise((resolve, reject) => {
        fail = reject
        socket.send(chunk, (error) => (error ? reject(error) : resolve()))
        // Many small chunks need not wait for one another.
        if (socket.bufferedAmount < MOST) resolve()
      })
    },
    close: () => closed(socket),
    abort() {
      socket.terminate()
    },
  })
}

/** Closes a socket, and waits until it is. One that is not open yet is given up. */
function closed(socket) {
  if (socket.readyState === CLOSED) return Promise.resolve()
  return new Promise((resolve, reject) => {
    const connecting = socket.readyState === CONNECTING
    // That it is given up is an error only for those who wait for it.
    if (connecting) socket.once('error', () => {})
    socket.once('close', (code) => {
      if (connecting || code !== ABNORMAL) resolve()
      else reject(createError(CONNECTION_LOST, 'the connection ended without a closing handshake'))
    })
    socket.close(NORMAL_CLOSURE)
  })
}

module.exports = { readableOf, writableOf }
