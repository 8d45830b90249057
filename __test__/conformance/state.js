'use strict'

const assert = require('node:assert/strict')
const { EventEmitter, once } = require('node:events')
const WebSocket = require('ws')
const { called, closed, message, turn, until } = require('../support/watch')

const STATES = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 }
const READ_ONLY = ['bufferedAmount', 'extensions', 'isPaused', 'protocol', 'readyState', 'url']

/** What a socket says about itself. */
module.exports = (row) => {
  row('is a WebSocket and an EventEmitter', async (pair) => {
    const { subject } = await pair.open()
    assert.ok(subject instanceof WebSocket)
    assert.ok(subject instanceof EventEmitter)
  })

  row('carries the four state constants, which cannot be changed', async (pair) => {
    const { subject } = await pair.open()
    for (const [name, value] of Object.entries(STATES)) {
      assert.equal(subject[name], value)
      assert.throws(() => {
        subject[name] = 9
      }, TypeError)
      assert.equal(subject[name], value)
    }
  })

  row('has read-only attributes', async (pair) => {
    const { subject } = await pair.open()
    for (const name of READ_ONLY) {
      assert.throws(() => {
        subject[name] = 'other'
      }, TypeError)
    }
  })

  row('enumerates its attributes', async (pair) => {
    const { subject } = await pair.open()
    const names = new Set()
    for (const name in subject) names.add(name)
    const handlers = ['onopen', 'onmessage', 'onerror', 'onclose']
    for (const name of [...READ_ONLY, ...handlers, ...Object.keys(STATES), 'binaryType']) {
      assert.ok(names.has(name), name)
    }
  })

  row('is open once the handshake is done', async (pair) => {
    let stateAtFirst
    const { subject } = await pair.open({
      onSubject: (socket) => {
        stateAtFirst = socket.readyState
      },
    })
    assert.equal(stateAtFirst, pair.role === 'server' ? WebSocket.OPEN : WebSocket.CONNECTING)
    assert.equal(subject.readyState, WebSocket.OPEN)
  })

  row('is open when the open event is emitted', { role: 'client' }, async (pair) => {
    const states = []
    await pair.open({
      onSubject: (socket) => socket.on('open', () => states.push(socket.readyState)),
    })
    assert.deepEqual(states, [WebSocket.OPEN])
  })

  row('can send inside the open event', { role: 'client' }, async (pair) => {
    let received
    await pair.open({
      onSubject: (socket) => socket.on('open', () => socket.send('at once')),
      onPeer: (socket) => {
        received = message(socket)
      },
    })
    assert.equal((await received).data.toString(), 'at once')
  })

  row('can send inside the connection event', { role: 'server' }, async (pair) => {
    let received
    await pair.open({
      onSubject: (socket) => socket.send('at once'),
      onPeer: (socket) => {
        received = message(socket)
      },
    })
    assert.equal((await received).data.toString(), 'at once')
  })

  row('is CLOSING right after close()', async (pair) => {
    const { subject } = await pair.open()
    subject.close()
    assert.equal(subject.readyState, WebSocket.CLOSING)
  })

  row('is CLOSING right after terminate()', async (pair) => {
    const { subject } = await pair.open()
    subject.terminate()
    assert.equal(subject.readyState, WebSocket.CLOSING)
  })

  row('is CLOSED in the close event', async (pair) => {
    const { subject } = await pair.open()
    let state
    subject.on('close', () => {
      state = subject.readyState
    })
    subject.close()
    await closed(subject)
    assert.equal(state, WebSocket.CLOSED)
    assert.equal(subject.readyState, WebSocket.CLOSED)
  })

  row('is CLOSED when the peer closed', async (pair) => {
    const { subject, peer } = await pair.open()
    peer.close()
    await closed(subject)
    assert.equal(subject.readyState, WebSocket.CLOSED)
  })

  row('is still OPEN in the events that come before the close frame', async (pair) => {
    const { subject, peer } = await pair.open()
    const states = []
    subject.on('message', () => states.push(subject.readyState))
    peer.send('one')
    peer.send('two')
    await until(() => states.length === 2, 'two messages')
    assert.deepEqual(states, [WebSocket.OPEN, WebSocket.OPEN])
  })

  row('has the url it was given', { role: 'client' }, async (pair) => {
    let given
    const { subject, address } = await pair.raw({
      onSubject: (socket) => {
        given = socket.url
      },
    })
    assert.equal(given, address)
    assert.equal(subject.url, address)
  })

  row('has no protocol when none was offered', async (pair) => {
    const { subject, peer } = await pair.open()
    assert.equal(subject.protocol, '')
    assert.equal(peer.protocol, '')
  })

  row('has the protocol that was agreed', async (pair) => {
    const { subject, peer } = await pair.open({ protocols: ['chat.v2', 'chat.v1'] })
    assert.equal(subject.protocol, 'chat.v2')
    assert.equal(peer.protocol, 'chat.v2')
  })

  row('has no extensions', async (pair) => {
    const { subject } = await pair.open()
    assert.equal(subject.extensions, '')
  })

  row('is not paused at first', async (pair) => {
    const { subject } = await pair.open()
    assert.equal(subject.isPaused, false)
  })

  row('says whether it is paused', async (pair) => {
    const { subject } = await pair.open()
    subject.pause()
    assert.equal(subject.isPaused, true)
    subject.resume()
    assert.equal(subject.isPaused, false)
  })

  row('has the binaryType nodebuffer at first', async (pair) => {
    const { subject } = await pair.open()
    assert.equal(subject.binaryType, 'nodebuffer')
  })

  row('takes every known binaryType', async (pair) => {
    const { subject } = await pair.open()
    for (const type of ['arraybuffer', 'fragments', 'blob', 'nodebuffer']) {
      subject.binaryType = type
      assert.equal(subject.binaryType, type)
    }
  })

  row('ignores an unknown binaryType', async (pair) => {
    const { subject } = await pair.open()
    subject.binaryType = 'arraybuffer'
    subject.binaryType = 'string'
    subject.binaryType = undefined
    assert.equal(subject.binaryType, 'arraybuffer')
  })

  row('has nothing buffered while idle', async (pair) => {
    const { subject } = await pair.open()
    assert.equal(subject.bufferedAmount, 0)
  })

  row('has nothing buffered once a callback of send() was called', async (pair) => {
    const { subject } = await pair.open()
    await called((done) => subject.send('hello', done))
    await turn()
    assert.equal(subject.bufferedAmount, 0)
  })

  row('counts what the network does not take yet as buffered', async (pair) => {
    const { subject, peer } = await pair.raw()
    peer.pause()
    const chunk = Buffer.alloc(1 << 20)
    for (let i = 0; i < 48; i++) subject.send(chunk)
    assert.ok(subject.bufferedAmount > 0)
    await new Promise((resolve) => setTimeout(resolve, 50))
    assert.ok(subject.bufferedAmount > 16 * chunk.length, `only ${subject.bufferedAmount}`)
    assert.ok(subject.bufferedAmount <= 48 * (chunk.length + 14), `even ${subject.bufferedAmount}`)
  })

  row('has less buffered as the peer reads, down to nothing', async (pair) => {
    const { subject, peer } = await pair.open({ direct: true })
    peer.pause()
    let sent = 0
    for (let i = 0; i < 32; i++) subject.send(Buffer.alloc(1 << 20), () => sent++)
    await new Promise((resolve) => setTimeout(resolve, 20))
    const before = subject.bufferedAmount
    assert.ok(before > 0)
    peer.resume()
    await until(() => sent === 32, 'all sent')
    await until(() => subject.bufferedAmount === 0, 'nothing buffered')
  })

  row('adds the length of what is sent after close() to bufferedAmount', async (pair) => {
    const { subject } = await pair.open()
    subject.close()
    await closed(subject)
    const before = subject.bufferedAmount
    subject.send('hello')
    assert.equal(subject.bufferedAmount, before + 5)
    subject.send(Buffer.alloc(10))
    subject.ping('abc')
    subject.pong(new Uint16Array(2))
    assert.equal(subject.bufferedAmount, before + 22)
    subject.send(new Blob(['1234567']))
    assert.equal(subject.bufferedAmount, before + 29)
    subject.send('')
    subject.send(12)
    assert.equal(subject.bufferedAmount, before + 31)
  })

  row(
    'is CONNECTING at first, without protocol, extensions and buffer',
    { role: 'client' },
    async (pair) => {
      const seen = []
      await pair.open({
        protocols: ['p'],
        onSubject: (socket) =>
          seen.push(socket.readyState, socket.protocol, socket.extensions, socket.bufferedAmount),
      })
      assert.deepEqual(seen, [WebSocket.CONNECTING, '', '', 0])
    },
  )

  row('emits open once and before any message', { role: 'client' }, async (pair) => {
    const events = []
    const { subject } = await pair.open({
      onSubject: (socket) => {
        socket.on('open', () => events.push('open'))
        socket.on('message', (data) => events.push(String(data)))
      },
      onPeer: (socket) => socket.send('hello'),
    })
    await until(() => events.length > 1, 'a message')
    assert.deepEqual(events, ['open', 'hello'])
    assert.equal(subject.readyState, WebSocket.OPEN)
  })

  row('works with events.once', async (pair) => {
    const { subject, peer } = await pair.open()
    const received = once(subject, 'message')
    peer.send('hello')
    const [data, isBinary] = await received
    assert.equal(String(data), 'hello')
    assert.equal(isBinary, false)
  })

  row(
    'may be paused and resumed while CONNECTING, without effect',
    { role: 'client' },
    async (pair) => {
      const { subject, peer } = await pair.open({
        onSubject: (socket) => {
          socket.pause()
          assert.equal(socket.isPaused, false)
          socket.resume()
        },
      })
      const received = message(subject)
      peer.send('hello')
      assert.equal((await received).data.toString(), 'hello')
    },
  )

  for (const method of ['send', 'ping', 'pong']) {
    row(`throws when ${method}() is called while CONNECTING`, { role: 'client' }, async (pair) => {
      let thrown
      await pair.open({
        onSubject: (socket) => {
          try {
            socket[method]('too early', () => {})
          } catch (error) {
            thrown = error
          }
        },
      })
      assert.equal(thrown?.message, 'WebSocket is not open: readyState 0 (CONNECTING)')
    })
  }
}
