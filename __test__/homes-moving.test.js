'use strict'

// Sockets that move between their homes at random, with a peer that is npm `ws`, through a proxy that
// cuts the bytes anywhere.

process.env.HYCO_RS_HOMES = 'roam'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const http = require('node:http')
const https = require('node:https')
const net = require('node:net')
const { after, before, describe, it } = require('node:test')
const { WebSocketServer } = require('ws')
const { relayedConnect } = require('..')
const certificate = require('./support/certificate')

const TIMEOUT = { timeout: 600_000 }
const SIZES = [0, 1, 64, 125, 126, 1_000, 16_000, 33_000, 70_000, 300_000]
const SOCKETS = 6
const MESSAGES = 60

/** Numbers without a pattern, the same in every run. */
function chance(seed) {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/** A message that tells its place, and that its bytes are those that were sent. */
function message(index, size) {
  const data = Buffer.alloc(Math.max(size, 4), index & 0xff)
  data.writeUInt32LE(index)
  return data
}

/** Passes bytes on in pieces of any size, each in a packet of its own. */
function cut(from, to, random) {
  from.on('data', (bytes) => {
    for (let at = 0; at < bytes.length;) {
      const size = 1 + random(random(4) === 0 ? 20 : 40_000)
      to.write(bytes.subarray(at, at + size))
      at += size
    }
  })
  from.on('end', () => to.end())
  from.on('close', () => to.destroy())
  from.on('error', () => {})
}

for (const secure of [false, true]) {
  describe(`sockets that move while they talk over ${secure ? 'TLS' : 'TCP'}`, TIMEOUT, () => {
    let server
    let proxy
    let peers
    let url
    let count = 0
    const waiting = new Map()

    before(async () => {
      server = secure ? https.createServer(certificate) : http.createServer()
      peers = new WebSocketServer({ server })
      peers.on('connection', (peer, request) => waiting.get(request.url)(peer))
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const random = chance(7)
      proxy = net.createServer((near) => {
        const far = net.connect(server.address().port, '127.0.0.1')
        near.setNoDelay(true)
        far.setNoDelay(true)
        cut(near, far, random)
        cut(far, near, random)
      })
      proxy.listen(0, '127.0.0.1')
      await once(proxy, 'listening')
      url = `${secure ? 'wss' : 'ws'}://localhost:${proxy.address().port}`
    })

    after(async () => {
      for (const peer of peers.clients) peer.terminate()
      proxy.close()
      await new Promise((resolve) => server.close(resolve))
    })

    /** Opens a socket; the path of its address tells which peer is its own. */
    const connect = async () => {
      const path = `/${++count}`
      const joined = new Promise((resolve) => waiting.set(path, resolve))
      const socket = relayedConnect(url + path, null, { tls: { ca: certificate.ca } })
      await once(socket, 'open')
      const peer = await joined
      peer.on('error', () => {})
      return { socket, peer }
    }

    /** Sends messages of all sizes, with turns of the loop between some. */
    const send = async (socket, random) => {
      for (let index = 0; index < MESSAGES; index++) {
        socket.send(message(index, SIZES[random(SIZES.length)]))
        if (random(2) === 0) await new Promise((resolve) => setTimeout(resolve, random(3)))
      }
    }

    /** Resolves when all messages have come, each once, whole, and in its place. */
    const receive = (socket) =>
      new Promise((resolve, reject) => {
        let next = 0
        socket.on('message', (data) => {
          try {
            const index = data.readUInt32LE(0)
            assert.equal(index, next)
            assert.ok(data.equals(message(index, data.length)), `message ${index} is whole`)
            if (++next === MESSAGES) resolve()
          } catch (error) {
            reject(error)
          }
        })
        socket.once('close', () => reject(new Error(`closed before message ${next}`)))
      })

    it('nothing is lost, doubled or out of order, in either direction', TIMEOUT, async () => {
      const talk = async (number) => {
        const { socket, peer } = await connect()
        const random = chance(number)
        const timer = setInterval(() => (random(2) === 0 ? socket.pause() : socket.resume()), 3)
        const done = [receive(socket), receive(peer), send(socket, random), send(peer, random)]
        await Promise.all(done)
        clearInterval(timer)
        socket.resume()
        const closed = once(peer, 'close')
        socket.close(1000, 'enough')
        assert.deepEqual(await once(socket, 'close'), [1000, Buffer.from('enough')])
        await closed
      }
      await Promise.all(Array.from({ length: SOCKETS }, (_, number) => talk(number)))
    })

    it(
      'every send is called back, in order, and what was sent before close() arrives',
      TIMEOUT,
      async () => {
        const { socket, peer } = await connect()
        const random = chance(3)
        const arrived = receive(peer)
        // Each answer is a read, after which the socket may move.
        peer.on('message', () => peer.send('heard'))
        const called = []
        for (let index = 0; index < MESSAGES; index++) {
          const size = SIZES[random(SIZES.length)]
          socket.send(message(index, size), (error) => called.push(error ?? index))
          if (random(3) === 0) await new Promise((resolve) => setImmediate(resolve))
        }
        socket.close(1000)
        await arrived
        await once(socket, 'close')
        assert.deepEqual(called, [...Array(MESSAGES).keys()])
      },
    )

    it(
      'a socket that is destroyed anywhere closes once and says nothing more',
      TIMEOUT,
      async () => {
        const die = async (number) => {
          const { socket, peer } = await connect()
          const random = chance(number + 100)
          const events = []
          socket.on('message', () => events.push('message'))
          socket.on('close', () => events.push('close'))
          peer.on('message', () => peer.send('answer'))
          void send(peer, random)
          for (let index = 0; index < number; index++) {
            socket.send(message(index, SIZES[random(SIZES.length)]))
            await new Promise((resolve) => setImmediate(resolve))
          }
          const gone = once(peer, 'close')
          socket.terminate()
          await once(socket, 'close')
          await gone
          assert.equal(events.indexOf('close'), events.length - 1)
        }
        await Promise.all(Array.from({ length: 20 }, (_, number) => die(number)))
      },
    )
  })
}
