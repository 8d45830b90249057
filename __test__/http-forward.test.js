'use strict'

const assert = require('node:assert/strict')
const diagnostics = require('node:diagnostics_channel')
const { once } = require('node:events')
const http = require('node:http')
const https = require('node:https')
const { after, before, describe, it } = require('node:test')
const WebSocket = require('ws')

const hyco = require('..')
const { forwardTarget } = require('../lib/http/forward')
const Listener = require('../lib/hub/listener')
const certificate = require('./support/certificate')
const HttpSetting = require('./support/http-server')
const { mirror, until } = HttpSetting

const TIMEOUT = { timeout: 300_000 }

describe('forward()', TIMEOUT, () => {
  let setting
  let upstream
  let handler = mirror
  let connections = 0

  before(async () => {
    upstream = http.createServer((req, res) => handler(req, res))
    upstream.on('connection', () => connections++)
    upstream.listen(0, '127.0.0.1')
    await once(upstream, 'listening')
    setting = await HttpSetting.start()
    assert.equal(setting.server.forward(upstream.address().port), setting.server)
  })

  after(async () => {
    await setting.close()
    upstream.closeAllConnections()
    await new Promise((resolve) => upstream.close(resolve))
  })

  it('passes requests on over kept connections, and tells of the sender and of each answer', async () => {
    const told = []
    setting.server.on('forwarded', (info) => told.push(info))
    for (let i = 0; i < 5; i++) {
      const body = `body ${i}`
      const seen = JSON.parse((await setting.request(`/${i}?q`, { method: 'PUT' }, body)).body)
      assert.equal(seen.url, `/hyco/${i}?q`)
      assert.equal(String(Buffer.from(seen.body, 'base64')), body)
      assert.equal(seen.headers['x-forwarded-for'], '127.0.0.1')
      assert.equal(seen.headers['x-forwarded-proto'], 'http')
      assert.equal(seen.headers.host, new URL(setting.url).host)
    }
    assert.equal(connections, 1)
    await until(() => told.length === 5)
    const { method, url, statusCode, duration } = told[0]
    assert.deepEqual([method, url, statusCode], ['PUT', '/hyco/0?q', 200])
    assert.ok(duration >= 0)
    await until(() => setting.server.metrics().activeRequests === 0)
    assert.equal(setting.server.metrics().requests, 5)
  })

  it('tells those who have subscribed before it came online, too', async () => {
    const told = []
    const hear = (message) => told.push(message)
    const other = await HttpSetting.start(null)
    const server = new hyco.RelayedServer({
      server: other.relay.listenUri('hyco'),
      token: other.relay.token(),
    })
    server.forward(upstream.address().port)
    diagnostics.subscribe('hyco-rs:request:end', hear)
    await once(server, 'listening')
    assert.equal((await other.request('')).statusCode, 200)
    await until(() => told.some((message) => message.server === server))
    diagnostics.unsubscribe('hyco-rs:request:end', hear)
    await server.close()
    await other.close()
  })

  it("tells 'forwarded' to who has listened before it was asked to pass on, too", async () => {
    const other = await HttpSetting.start()
    const told = once(other.server, 'forwarded')
    other.server.forward(upstream.address().port)
    assert.equal((await other.request('/early')).statusCode, 200)
    assert.equal((await told)[0].url, '/hyco/early')
    await other.close()
  })

  it('streams bodies both ways', async () => {
    const size = 3 << 20
    handler = (req, res) => req.pipe(res)
    const { body } = await setting.request('', { method: 'POST' }, Buffer.alloc(size, 5))
    assert.equal(body.length, size)
    handler = mirror
  })

  it('comes back to a server that closes its connections', async () => {
    handler = (req, res) => res.writeHead(200, { connection: 'close' }).end('bye')
    for (let i = 0; i < 3; i++) assert.equal(String((await setting.request('')).body), 'bye')
    handler = mirror
    await setting.request('')
    upstream.closeIdleConnections()
    assert.equal((await setting.request('')).statusCode, 200)
  })

  it('passes WebSockets on, and refusals', async () => {
    const wss = new WebSocket.Server({ noServer: true })
    upstream.once('upgrade', (req, socket, head) => {
      assert.equal(req.headers['x-forwarded-for'], '127.0.0.1')
      wss.handleUpgrade(req, socket, head, (ws) => {
        ws.on('message', (data) => ws.send(data))
      })
    })
    const client = new WebSocket(setting.relay.sendUri('hyco/ws'))
    await once(client, 'open')
    client.send(Buffer.alloc(100_000, 1))
    const [data] = await once(client, 'message')
    assert.equal(data.length, 100_000)
    client.close(1000)
    await once(client, 'close')
    handler = (req, res) => res.writeHead(404, 'Nobody').end()
    const refused = new WebSocket(setting.relay.sendUri('hyco/none'))
    refused.on('error', () => {})
    const [request, response] = await once(refused, 'unexpected-response')
    assert.deepEqual([response.statusCode, response.statusMessage], [404, 'Nobody'])
    request.destroy()
    handler = mirror
  })

  it('answers 502 for a server that is down, with another Host where it is told', async () => {
    const other = await HttpSetting.start()
    other.server.forward('http://127.0.0.1:1')
    assert.equal((await other.request('')).statusCode, 502)
    await until(() => other.errors.length === 1)
    assert.equal(other.errors[0].code, 'HYCO_ERR_BAD_ANSWER')
    await other.close()

    const renamed = await HttpSetting.start()
    renamed.server.forward(`127.0.0.1:${upstream.address().port}`, { host: 'inner:81' })
    assert.equal(JSON.parse((await renamed.request('')).body).headers.host, 'inner:81')
    await renamed.close()
  })

  it('goes over TLS with the options for it, and answers 502 where a certificate is not trusted', async () => {
    const secure = https.createServer(certificate, (req, res) => {
      res.end(req.socket.encrypted ? 'encrypted' : 'plain')
    })
    secure.listen(0, '127.0.0.1')
    await once(secure, 'listening')
    const target = `https://localhost:${secure.address().port}`
    const trusting = await HttpSetting.start()
    trusting.server.forward(target, { tls: { ca: certificate.ca } })
    assert.equal(String((await trusting.request('')).body), 'encrypted')
    await trusting.close()
    const wary = await HttpSetting.start()
    wary.server.forward(new URL(target))
    assert.equal((await wary.request('')).statusCode, 502)
    await until(() => wary.errors.length === 1)
    await wary.close()
    secure.closeAllConnections()
    await new Promise((resolve) => secure.close(resolve))
  })

  it('answers 504 for a server that is slow, and 502 for one that breaks off', async () => {
    let closed = 0
    const slow = await HttpSetting.start({ responseTimeout: 100 })
    slow.server.forward(upstream.address().port)
    handler = (req) => req.on('close', () => closed++)
    assert.equal((await slow.request('')).statusCode, 504)
    await until(() => closed === 1 && slow.errors.length === 1)
    assert.equal(slow.errors[0].code, 'HYCO_ERR_TIMEOUT')
    await slow.close()
    // What has begun is not streamed, however slow the machine is.
    const other = await HttpSetting.start({ responseFlushDelay: 60_000 })
    other.server.forward(upstream.address().port)
    handler = (req, res) => {
      res.writeHead(200, { 'content-length': 10 }).write('half')
      setImmediate(() => req.socket.destroy())
    }
    const broken = await other.request('')
    assert.equal(broken.statusCode, 502)
    assert.match(String(broken.body), /broke its answer off/)
    await other.close()
    handler = mirror
  })

  it('sends a request again over a new connection only if that does no harm', async () => {
    const counts = {}
    const other = await HttpSetting.start()
    other.server.forward(upstream.address().port)
    for (const method of ['GET', 'POST']) {
      handler = mirror
      await other.request('', { method })
      // The kept connection breaks when it is used again; a new one is served.
      const kept = connections
      handler = (req, res) => {
        counts[method] = (counts[method] ?? 0) + 1
        if (connections === kept) req.socket.destroy()
        else res.end('served')
      }
      const { statusCode } = await other.request('', { method })
      assert.equal(statusCode, method === 'GET' ? 200 : 502)
    }
    assert.deepEqual(counts, { GET: 2, POST: 1 })
    await other.close()
    handler = mirror
  })

  it('sends no request again to which something was said', async () => {
    const other = await HttpSetting.start()
    other.server.forward(upstream.address().port)
    handler = mirror
    await other.request('')
    let asked = 0
    handler = (req) => {
      asked++
      req.socket.end('HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nok')
    }
    assert.equal((await other.request('')).statusCode, 502)
    assert.equal(asked, 1)
    await other.close()
    handler = mirror
  })

  it('close() ends what is passed on, also after drain() has run out of time', async () => {
    let asked = 0
    handler = () => asked++
    for (const end of [
      (server) => server.close(),
      async (server) => assert.equal(await server.drain({ timeout: 50 }), false),
    ]) {
      const other = await HttpSetting.start()
      other.server.forward(upstream.address().port)
      const answered = other.request('')
      const before = asked
      await until(() => asked > before)
      await end(other.server)
      assert.equal((await answered).statusCode, 502)
      await other.close()
    }
    handler = mirror
  })

  it('drain() waits for what is passed on', async () => {
    let answer
    handler = (req, res) => {
      answer = () => res.end('late')
    }
    const other = await HttpSetting.start()
    other.server.forward(upstream.address().port)
    const asked = other.request('')
    await until(() => answer !== undefined)
    const drained = other.server.drain()
    answer()
    assert.equal(String((await asked).body), 'late')
    assert.equal(await drained, true)
    await other.close()
    handler = mirror
  })

  it('refuses what is no target', async () => {
    const server = new hyco.RelayedServer({
      server: hyco.createRelayListenUri('ws://127.0.0.1:1', 'hyco'),
      token: 'none is needed to find nobody',
    })
    server.on('offline', () => {})
    const bad = ['', 0, -1, 1.5, 70_000, 'ftp://x', 'http://x/path', 'http://u@x', '::1', true, {}]
    const more = ['http://x?query', 'http://x#hash', 'http://x:0', 'localhost:0', null, undefined]
    for (const target of [...bad, ...more]) {
      assert.throws(() => server.forward(target), /'target' must be a port/, String(target))
    }
    for (const host of ['a b', '', 1]) {
      assert.throws(() => server.forward(80, { host }), /'host'/)
    }
    assert.throws(() => server.forward(80, 'localhost'), /'options' must be an object/)
    await server.close()
  })
})

describe('a target', { timeout: 60_000 }, () => {
  it('has ten seconds to take a connection', () => {
    assert.equal(forwardTarget(8080).connectTimeout, 10_000)
  })
})

describe('a forward() that fails', { timeout: 300_000 }, () => {
  it('leaves the requests to whoever serves them then', async (context) => {
    const server = new hyco.RelayedServer({
      server: hyco.createRelayListenUri('ws://127.0.0.1:1', 'hyco'),
      token: 'none is needed to find nobody',
    })
    server.on('offline', () => {})
    const failure = new Error('there is no room')
    const { mock } = context.mock.method(Listener.prototype, 'forward', () => {
      throw failure
    })
    assert.throws(() => server.forward(1), failure)
    mock.restore()
    server.attach(http.createServer())
    await server.close()
  })
})
