// What has to work with the service: each check throws where it does not.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { setTimeout as delay } from 'node:timers/promises'

const MIB = 2 ** 20

export const checks = {
  async 'echo, texts and bytes from 0 to 1 MiB'(place) {
    await place.listen({}, (socket) => {
      socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
    })
    const sender = await place.connect()
    for (const message of ['', 'grüße', Buffer.alloc(126, 1), Buffer.alloc(MIB, 2)]) {
      sender.send(message)
      const [data, isBinary] = await once(sender, 'message')
      assert.equal(isBinary, typeof message !== 'string')
      assert.ok(data.equals(Buffer.from(message)))
    }
  },

  async 'a close, with its code and reason'(place) {
    await place.listen({}, (socket) => socket.on('message', () => socket.close(4001, 'bye')))
    const sender = await place.connect()
    sender.send('close, please')
    const [code, reason] = await once(sender, 'close')
    assert.deepEqual([code, String(reason)], [4001, 'bye'])
  },

  async 'a rejection, with its status and reason'(place) {
    await place.listen({ verifyClient: (_, decide) => decide(false, 403, 'Not today') })
    const error = await place.connect().then(
      () => assert.fail('it was accepted'),
      (refusal) => refusal,
    )
    assert.deepEqual([error.statusCode, error.reason], [403, 'Not today'])
  },

  async 'subprotocol, headers, path and query reach the listener'(place) {
    const server = await place.listen()
    const connected = once(server, 'connection')
    const sender = await place.connect({
      suffix: '/rooms/blue?a=1',
      headers: { 'X-Name': 'ada' },
      protocols: ['one', 'two'],
    })
    const [, request] = await connected
    assert.equal(request.url, `/${place.path}/rooms/blue?a=1`)
    assert.equal(request.headers['x-name'], 'ada')
    assert.equal(sender.protocol, 'one')
  },

  async 'a token is renewed on an open control channel'(place) {
    // Seconds. Clocks may differ by some, but for the same machine's.
    const life = place.isLocal ? 10 : 60
    const renewed = new Promise((resolve) => {
      const hear = () => resolve(unsubscribe('hyco-rs:listener:renewed', hear))
      subscribe('hyco-rs:listener:renewed', hear)
    })
    const server = await place.listen({ token: () => place.token(life) })
    let lost = false
    server.on('offline', () => (lost = true))
    await renewed
    await delay((life / 3) * 1000) // past the end of the first token
    await place.connect()
    assert.equal(lost, false, 'the control channel was lost')
  },

  async 'a lost control channel comes back, and open sockets live on'(place) {
    const proxy = await breakableProxy(place)
    const server = await place.listen({ proxy: proxy.url }, (socket) => {
      socket.on('message', (data) => socket.send(data))
    })
    await place.connect()
    const back = once(server, 'offline').then(() => once(server, 'listening'))
    proxy.breakFirst()
    await back
    const sender = await place.connect()
    sender.send('again')
    await once(sender, 'message')
    assert.equal(server.clients.size, 2)
  },

  async 'HTTP: methods, status, headers, and bodies up to 1 MiB both ways'(place) {
    const app = createServer(async (req, res) => {
      const parts = []
      for await (const part of req) parts.push(part)
      res.writeHead(req.method === 'GET' ? 203 : 200, { 'X-Url': req.url, 'X-Method': req.method })
      res.end(Buffer.concat(parts))
    })
    await place.listen({ httpServer: app })
    const got = await place.fetch('/a/b?c=d')
    assert.deepEqual([got.status, got.headers.get('x-url')], [203, `/${place.path}/a/b?c=d`])
    for (const size of [5, 64 * 1024, 64 * 1024 + 1, MIB]) {
      const body = Buffer.alloc(size, 'x')
      const answer = await place.fetch('', { method: 'PUT', body })
      assert.equal(answer.headers.get('x-method'), 'PUT')
      assert.ok(Buffer.from(await answer.arrayBuffer()).equals(body), `${size} bytes`)
    }
  },

  async 'HTTP: several cookies'(place) {
    const app = createServer((req, res) => {
      res.setHeader('Set-Cookie', ['a=1', 'b=2', 'c=3'])
      res.end()
    })
    await place.listen({ httpServer: app })
    const answer = await place.fetch()
    assert.deepEqual(answer.headers.getSetCookie(), ['a=1', 'b=2', 'c=3'])
  },

  async 'HTTP: a stream arrives as it is written'(place) {
    let finish
    const app = createServer((req, res) => {
      res.write('first')
      finish = () => res.end('last')
    })
    await place.listen({ httpServer: app })
    const { body } = await place.fetch()
    const reader = body.pipeThrough(new TextDecoderStream()).getReader()
    assert.equal((await reader.read()).value, 'first')
    finish()
    let rest = ''
    for (let part = await reader.read(); !part.done; part = await reader.read()) rest += part.value
    assert.equal(rest, 'last')
  },
}

/** A proxy by CONNECT on this machine, whose first connection can be broken: the control channel. */
async function breakableProxy(place) {
  const sockets = []
  const proxy = createServer()
  proxy.on('connect', ({ url }, socket, head) => {
    const { hostname, port } = new URL(`tcp://${url}`)
    const upstream = connect(port, hostname, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      upstream.write(head)
      socket.pipe(upstream).pipe(socket)
    })
    sockets.push(socket)
    for (const end of [socket, upstream]) end.on('error', () => {})
    socket.on('close', () => upstream.destroy())
    upstream.on('close', () => socket.destroy())
  })
  await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  place.after(() => {
    for (const socket of sockets) socket.destroy()
    proxy.close()
  })
  return {
    url: `http://127.0.0.1:${proxy.address().port}`,
    breakFirst: () => sockets[0].destroy(),
  }
}
