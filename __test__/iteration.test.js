'use strict'

const assert = require('node:assert/strict')
const { createHash, randomBytes } = require('node:crypto')
const { once } = require('node:events')
const { after, afterEach, before, describe, it } = require('node:test')
const hyco = require('..')
const TestRelay = require('./support/relay')
const { closed, until } = require('./support/watch')

const TIMEOUT = { timeout: 300_000 }

describe('iteration and streams', TIMEOUT, () => {
  let relay
  const ending = []

  before(async () => {
    relay = await TestRelay.start({ hybridConnections: ['hyco'] })
  })

  afterEach(async () => {
    for (const end of ending.splice(0).toReversed()) await end()
  })

  after(() => relay.close())

  const listen = async (onConnection, options = {}) => {
    const server = new hyco.RelayedServer({
      server: relay.listenUri('hyco'),
      token: () => relay.token(),
      ...options,
    })
    if (onConnection) server.on('connection', onConnection)
    await once(server, 'listening')
    ending.push(() => server.close())
    return server
  }

  const connect = async () => {
    const socket = hyco.relayedConnect(relay.sendUri('hyco'), relay.token())
    ending.push(() => socket.terminate())
    await once(socket, 'open')
    return socket
  }

  /** Both ends of a connection. */
  const pair = async (options) => {
    const server = await listen(null, options)
    const accepted = once(server, 'connection')
    const sender = await connect()
    const [socket] = await accepted
    ending.push(() => socket.terminate())
    return { server, sender, socket }
  }

  describe('for await over a socket', () => {
    it('gives text as strings, everything else as bytes, and ends with the connection', async () => {
      const { sender, socket } = await pair()
      const all = (async () => {
        const found = []
        for await (const message of socket) found.push(message)
        return found
      })()
      sender.send('text')
      sender.send(Buffer.from([1, 2]))
      sender.send('')
      sender.close(4001, 'enough')
      assert.deepEqual(await all, ['text', Buffer.from([1, 2]), ''])
    })

    it('gives what binaryType asks for', async () => {
      const { sender, socket } = await pair()
      socket.binaryType = 'arraybuffer'
      const messages = socket[Symbol.asyncIterator]()
      sender.send('text')
      sender.send(Buffer.from([1]))
      assert.equal((await messages.next()).value, 'text')
      assert.deepEqual((await messages.next()).value, new Uint8Array([1]).buffer)
      socket.binaryType = 'fragments'
      sender.send(Buffer.from([1]), { fin: false })
      sender.send(Buffer.from([2]))
      assert.deepEqual((await messages.next()).value, Buffer.from([1, 2]))
    })

    it('throws what went wrong, after what came before it', async () => {
      const { sender, socket } = await pair({ maxPayload: 10 })
      const found = []
      const loop = (async () => {
        for await (const message of socket) found.push(message)
      })()
      sender.send('short')
      sender.send('much longer than that')
      await assert.rejects(loop, { code: 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH' })
      assert.deepEqual(found, ['short'])
    })

    it('throws when the connection ends without a closing handshake', async () => {
      const { sender, socket } = await pair()
      const messages = socket[Symbol.asyncIterator]()
      sender.send('last')
      assert.equal((await messages.next()).value, 'last')
      sender.terminate()
      await assert.rejects(messages.next(), { code: 'HYCO_ERR_CONNECTION_LOST' })
      assert.deepEqual(await messages.next(), { done: true, value: undefined })
    })

    it('makes a peer wait that is faster than the loop, and loses nothing', async () => {
      const { sender, socket } = await pair()
      const messages = socket[Symbol.asyncIterator]()
      const sent = createHash('sha256')
      const received = createHash('sha256')
      for (let i = 0; i < 200; i++) {
        const bytes = randomBytes(10_000)
        sent.update(bytes)
        sender.send(bytes)
      }
      sender.close()
      await until(() => socket.isPaused, 'the pause')
      let count = 0
      for await (const message of messages) {
        received.update(message)
        count++
      }
      assert.equal(count, 200)
      assert.equal(received.digest('hex'), sent.digest('hex'))
    })

    it('leaves the socket open, reading and without listeners when it is left', async () => {
      const { sender, socket } = await pair()
      const before = socket.listenerCount('error')
      const loop = (async () => {
        for await (const message of socket) return message
      })()
      sender.send('first')
      assert.equal(await loop, 'first')
      assert.equal(socket.listenerCount('message'), 0)
      assert.equal(socket.listenerCount('error'), before)
      const next = once(socket, 'message')
      sender.send('second')
      assert.equal(String((await next)[0]), 'second')
    })

    it('gives what had come to the next loop when it is left', async () => {
      const { sender, socket } = await pair()
      for (const text of ['head', 'one', 'two', 'three']) sender.send(text)
      const found = []
      for await (const message of socket) {
        found.push(message)
        await until(() => sender.bufferedAmount === 0, 'what was sent')
        break
      }
      for await (const message of socket) {
        found.push(message)
        if (found.length === 4) break
      }
      assert.deepEqual(found, ['head', 'one', 'two', 'three'])
    })

    it('waits for the slowest of several loops, and loses nothing of any', async () => {
      const { sender, socket } = await pair()
      const loops = [socket[Symbol.asyncIterator](), socket[Symbol.asyncIterator]()]
      for (let i = 0; i < 100; i++) sender.send(String(i).padEnd(10_000))
      sender.close()
      await until(() => socket.isPaused, 'the pause')
      // The first takes all that it can get, and would have the other hold everything.
      let taken = 0
      const first = (async () => {
        for await (const message of loops[0]) taken += Number(message) === taken ? 1 : 1000
      })()
      await until(() => taken > 5, 'what the first gets')
      for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
      assert.ok(socket.isPaused && taken < 20, `${taken} messages`)
      let count = 0
      for await (const message of loops[1]) count += Number(message) === count ? 1 : 1000
      await first
      assert.deepEqual([taken, count], [100, 100])
    })

    it('ends at once where the socket is closed already', async () => {
      const { sender, socket } = await pair()
      const gone = closed(socket)
      sender.close()
      await gone
      for await (const message of socket) assert.fail(message)
    })
  })

  describe('for await over a server', () => {
    it('gives every socket with all its messages, and ends when the server is closed', async () => {
      const server = await listen()
      const heard = []
      const loop = (async () => {
        for await (const socket of server) {
          for await (const message of socket) heard.push(message)
          if (heard.length === 6) server.close()
        }
        return 'ended'
      })()
      for (const name of ['a', 'b', 'c']) {
        const socket = hyco.relayedConnect(relay.sendUri('hyco'), relay.token(), (sender) => {
          sender.send(`${name}1`)
          sender.send(`${name}2`)
          sender.close()
        })
        ending.push(() => socket.terminate())
      }
      assert.equal(await loop, 'ended')
      assert.deepEqual(heard.toSorted(), ['a1', 'a2', 'b1', 'b2', 'c1', 'c2'])
    })

    it('leaves a socket paused that the program pauses when it has got it', async () => {
      const server = await listen()
      const loop = server[Symbol.asyncIterator]()
      const taken = loop.next().then(({ value }) => {
        value.pause()
        return value
      })
      const sender = await connect()
      sender.send('kept')
      const socket = await taken
      for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
      assert.equal(socket.isPaused, true)
      const message = once(socket, 'message')
      socket.resume()
      assert.equal(String((await message)[0]), 'kept')
      await loop.return()
    })

    it('throws a failure to listen in the loop, and not without a catcher', async () => {
      const server = new hyco.RelayedServer({
        server: relay.listenUri('nowhere'),
        token: () => relay.token(),
      })
      await assert.rejects(
        async () => {
          for await (const socket of server) socket.terminate()
        },
        { code: 'HYCO_ERR_ENDPOINT_NOT_FOUND' },
      )
      await server.close()
    })

    it('tells senders to try again later whom the loop will not take', async () => {
      const server = await listen()
      const loop = server[Symbol.asyncIterator]()
      const sender = await connect()
      const gone = closed(sender)
      await until(() => server.metrics().active === 1, 'the connection')
      await loop.return()
      assert.equal((await gone).code, 1013)
      assert.equal(server.listenerCount('connection'), 0)
    })
  })

  describe('the streams of the web', () => {
    it('carry what they are given, and closing one closes the socket', async () => {
      const { sender, socket } = await pair()
      const writer = sender.writable.getWriter()
      await writer.write('text')
      await writer.write(new Uint8Array([1, 2]))
      const reader = socket.readable.getReader()
      assert.deepEqual(await reader.read(), { done: false, value: 'text' })
      assert.deepEqual((await reader.read()).value, Buffer.from([1, 2]))
      const ended = closed(socket)
      const last = reader.read()
      await writer.close()
      assert.equal((await ended).code, 1000)
      assert.equal((await last).done, true)
    })

    it('can be piped, with back-pressure from end to end', async () => {
      const { sender, socket } = await pair()
      const piped = socket.readable.pipeTo(socket.writable)
      const sent = createHash('sha256')
      const received = createHash('sha256')
      let left = 300
      const source = new ReadableStream({
        pull(controller) {
          const bytes = randomBytes(20_000)
          sent.update(bytes)
          controller.enqueue(bytes)
          if (--left === 0) controller.close()
        },
      })
      const sending = source.pipeTo(sender.writable, { preventClose: true })
      let count = 0
      for await (const chunk of sender.readable) {
        received.update(chunk)
        if (++count === 300) break
      }
      await Promise.all([sending, piped])
      assert.equal(received.digest('hex'), sent.digest('hex'))
    })

    it('make a writer wait while the peer does not read', async () => {
      const { sender, socket } = await pair()
      socket.pause()
      const writer = sender.writable.getWriter()
      const chunk = new Uint8Array(1 << 20)
      let written = 0
      const all = Promise.all(
        Array.from({ length: 48 }, () => writer.write(chunk).then(() => written++)),
      )
      await until(() => written > 0, 'the first chunk')
      assert.ok(written < 40 && sender.bufferedAmount < 40 << 20, `${written} of 48`)
      socket.resume()
      await all
      assert.equal(written, 48)
    })

    it('wait for a socket that is still connecting', async () => {
      await listen((socket) => socket.on('message', (data) => socket.send(data, { binary: false })))
      const socket = hyco.relayedConnect(relay.sendUri('hyco'), relay.token())
      ending.push(() => socket.terminate())
      const writer = socket.writable.getWriter()
      writer.write('early').catch(() => {})
      const { value } = await socket.readable.getReader().read()
      assert.equal(value, 'early')
    })

    it('fail with the socket', async () => {
      const { sender, socket } = await pair()
      const writer = sender.writable.getWriter()
      writer.closed.catch(() => {})
      const reader = sender.readable.getReader()
      const read = reader.read()
      socket.terminate()
      await assert.rejects(read, { code: 'HYCO_ERR_CONNECTION_LOST' })
      await assert.rejects(writer.write('late'), { code: 'HYCO_ERR_CONNECTION_LOST' })
    })

    it('tell those of the end who wait for nothing else', async () => {
      const clean = await pair()
      const { closed: end } = clean.socket.readable.getReader()
      clean.sender.close()
      await end
      await clean.server.close()

      const { sender, socket } = await pair()
      const reader = socket.readable.getReader()
      sender.send('last')
      assert.equal((await reader.read()).value, 'last')
      sender.terminate()
      await assert.rejects(reader.closed, { code: 'HYCO_ERR_CONNECTION_LOST' })
    })

    it('fail at once where the socket is closed already', async () => {
      const { socket } = await pair()
      await socket.readable.cancel()
      assert.equal(socket.readyState, socket.CLOSED)
      const writer = socket.writable.getWriter()
      await assert.rejects(writer.closed, { code: 'HYCO_ERR_CONNECTION_LOST' })
      await assert.rejects(writer.write('late'), { code: 'HYCO_ERR_CONNECTION_LOST' })
    })

    it('give up a socket that is still connecting when the readable one is cancelled', async () => {
      const socket = hyco.relayedConnect(relay.sendUri('hyco'), relay.token())
      await socket.readable.cancel()
      assert.equal(socket.readyState, socket.CLOSED)
    })

    it('close the socket when the readable one is cancelled', async () => {
      const { sender, socket } = await pair()
      const gone = closed(socket)
      await sender.readable.cancel()
      assert.equal((await gone).code, 1000)
    })

    it('terminate the socket when the writable one is aborted', async () => {
      const { sender, socket } = await pair()
      const gone = closed(socket)
      await sender.writable.abort()
      assert.equal((await gone).code, 1006)
    })

    it('are the same whenever they are asked for', async () => {
      const { sender } = await pair()
      assert.equal(sender.readable, sender.readable)
      assert.equal(sender.writable, sender.writable)
    })
  })
})
