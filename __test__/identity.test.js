'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { test } = require('node:test')
const { WebSocketServer } = require('ws')

const hyco = require('..')
const { turn, until } = require('./support/watch')

const TIMEOUT = { timeout: 60_000 }

/** A plain server; `onPeer` gets each of its sockets. */
async function serve(t, onPeer) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  t.after(() => {
    for (const peer of server.clients) peer.terminate()
    server.close()
  })
  server.on('connection', onPeer)
  await once(server, 'listening')
  return `ws://127.0.0.1:${server.address().port}`
}

/** Blocks JavaScript, so that nothing is emitted, while what is on its way comes. */
function block(milliseconds) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)
}

test('listeners of held messages reach no other socket after a reset', TIMEOUT, async (t) => {
  const resets = await serve(t, (peer) => {
    for (let i = 0; i < 200; i++) peer.send(`held ${i}`)
    peer.ping('held')
    peer.send('last', () => setTimeout(() => peer._socket.resetAndDestroy(), 50))
  })
  const strays = []
  const innocent = await serve(t, (peer) => {
    peer.on('message', (data) => strays.push(`message ${data}`))
    peer.on('ping', (data) => strays.push(`ping ${data}`))
    peer.on('pong', (data) => strays.push(`pong ${data}`))
    peer.on('close', (code) => strays.push(`close ${code}`))
  })

  const options = { allowSynchronousEvents: false }
  const victim = hyco.relayedConnect(resets, null, options)
  victim.on('error', () => {})
  const states = []
  let others
  victim.on('message', (data) => {
    if (String(data) === 'held 0') {
      // Nothing is emitted while this blocks; meanwhile all has come.
      block(500)
      others = Array.from({ length: 4 }, () => hyco.relayedConnect(innocent, null))
      return
    }
    // Some messages are to be left when the reset is noticed, however late that is.
    if (victim.readyState === 1) block(50)
    states.push(victim.readyState)
    victim.send('stray', () => {})
    victim.ping('stray', undefined, () => {})
    victim.pong('stray', undefined, () => {})
    if (String(data) === 'last') victim.close(4000)
  })
  await once(victim, 'close')
  assert.ok(states.includes(2), 'some were held back when the connection was gone')

  for (const other of others) if (other.readyState === 0) await once(other, 'open')
  for (let i = 0; i < 20; i++) await turn()
  for (const other of others) {
    other.send('own')
    assert.equal(other.readyState, 1)
  }
  await until(() => strays.length >= others.length, 'their own messages arrive')
  assert.deepEqual(
    strays,
    others.map(() => 'message own'),
  )
  await Promise.all(
    others.map((other) => {
      other.terminate()
      return once(other, 'close')
    }),
  )
})

test('a socket is CLOSING while it emits what it held back', TIMEOUT, async (t) => {
  const address = await serve(t, (peer) => {
    for (let i = 0; i < 20; i++) peer.send(String(i))
    peer.send('last', () => peer._socket.resetAndDestroy())
  })
  const socket = hyco.relayedConnect(address, null, { allowSynchronousEvents: false })
  socket.on('error', () => {})
  let last
  socket.on('message', (data) => {
    if (String(data) !== 'last') {
      // The reset is to be noticed before the last message, however late that is.
      if (socket.readyState === 1) block(String(data) === '0' ? 300 : 100)
    } else if (String(data) === 'last') {
      last = socket.readyState
      socket.send('too late', (error) => {
        assert.match(error.message, /readyState 2 \(CLOSING\)/)
      })
    }
  })
  await once(socket, 'close')
  assert.equal(last, 2)
})
