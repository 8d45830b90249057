'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { test } = require('node:test')
const { WebSocketServer } = require('ws')

const { relayedConnect } = require('..')

const TIMEOUT = { timeout: 120_000 }

test('a socket ends whose peer resets behind much that it sent', TIMEOUT, async (t) => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  t.after(() => server.close())
  await once(server, 'listening')
  server.on('connection', (peer) => {
    peer.on('message', (data) => {
      if (String(data) === 'hello') return peer.send(data)
      for (let i = 0; i < 20; i++) peer.send(Buffer.alloc(100_000))
      peer._socket.resetAndDestroy()
      // Both have arrived before this thread looks at the socket, if it lives here.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100)
    })
  })
  const socket = relayedConnect(`ws://127.0.0.1:${server.address().port}`, null)
  await once(socket, 'open')
  socket.send('hello')
  await once(socket, 'message')
  const errors = []
  socket.on('error', (error) => errors.push(error.code))
  socket.send('much')
  const [code] = await once(socket, 'close')
  assert.equal(code, 1006)
  assert.ok(errors.length <= 1, `${errors}`)
})
