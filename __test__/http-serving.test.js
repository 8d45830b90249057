'use strict'

const assert = require('node:assert/strict')
const diagnostics = require('node:diagnostics_channel')
const { EventEmitter, once } = require('node:events')
const http = require('node:http')
const https = require('node:https')
const net = require('node:net')
const { describe, it } = require('node:test')

const express = require('express')
const Koa = require('koa')

const hyco = require('..')
const { createFetchListener } = require('../lib/http/fetch')
const HttpSetting = require('./support/http-server')
const { turn } = require('./support/watch')

const { mirror, until } = HttpSetting

const TIMEOUT = { timeout: 300_000 }

describe('who serves', TIMEOUT, () => {
  it("is a 'request' listener, whose rejection is answered with 500", async () => {
    const setting = await HttpSetting.start()
    setting.server.on('request', async (req, res) => {
      if (req.url.endsWith('/fail')) throw new Error('failed')
      res.end(req.trackingId)
    })
    assert.match(String((await setting.request('')).body), /^[0-9a-f-]{36}/)
    const ours = process.rawListeners('unhandledRejection')
    process.removeAllListeners('unhandledRejection')
    const rejected = once(process, 'unhandledRejection')
    assert.equal((await setting.request('/fail')).statusCode, 500)
    assert.equal((await rejected)[0].message, 'failed')
    for (const listener of ours) process.on('unhandledRejection', listener)
    assert.equal(setting.server.metrics().requests, 2)
    await setting.close()
  })

  it('is fetch, with streams both ways and a signal', async () => {
    let aborted
    const setting = await HttpSetting.start({
      fetch: async (request, info) => {
        if (request.url.endsWith('/stream')) {
          aborted = new Promise((resolve) => request.signal.addEventListener('abort', resolve))
          // One that never rests would keep the event loop from hearing of the end.
          const pull = (stream) => turn().then(() => stream.enqueue(Buffer.from('x')))
          const headers = { 'content-type': 'text/event-stream' }
          return new Response(new ReadableStream({ pull }), { headers })
        }
        const headers = new Headers({ 'x-method': request.method })
        headers.append('x-asked', request.headers.get('x-asked'))
        headers.append('set-cookie', 'a=1')
        headers.append('set-cookie', 'b=2')
        assert.equal(info.remoteAddress, '127.0.0.1')
        const text = (await request.text()).toUpperCase()
        return new Response(text, { status: 201, statusText: 'Made so', headers })
      },
    })
    const init = { method: 'PUT', body: 'hello', headers: { 'x-asked': 'kindly' } }
    const response = await setting.fetch('', init)
    assert.equal(response.status, 201)
    assert.equal(response.statusText, 'Made so')
    assert.equal(response.headers.get('x-asked'), 'kindly')
    assert.equal(response.headers.get('x-method'), 'PUT')
    assert.deepEqual(response.headers.getSetCookie(), ['a=1', 'b=2'])
    assert.equal(await response.text(), 'HELLO')
    const gone = new AbortController()
    await (await setting.fetch('/stream', { signal: gone.signal })).body.getReader().read()
    gone.abort()
    await aborted
    await setting.close()
  })

  it('is fetch, which no sender can fail with what no Request can have', async () => {
    let called = 0
    const fetch = (request) => {
      called++
      return new Response(request.url)
    }
    const setting = await HttpSetting.start({ stripPath: true, fetch })
    const bad = ['x:99999', 'x y', '[', 'x/y?', 'name@x', 'x\\y', 'x#y']
    for (const host of bad) {
      const { statusCode } = await setting.request('/a', { headers: { host } })
      assert.equal(statusCode, 400, host)
    }
    assert.equal((await setting.request('/a', { method: 'TRACE' })).statusCode, 501)
    assert.equal(called, 0)
    const options = { headers: { host: 'x' } }
    const { body } = await setting.request('//elsewhere/a', options)
    assert.equal(String(body), 'http://x//elsewhere/a', 'the path is no host')
    await setting.close()
  })

  it('is fetch, for which a target without a slash is no part of the host', async () => {
    const seen = []
    const listener = createFetchListener(({ url }) => {
      seen.push(url)
      return new Response(null)
    })
    const req = { socket: {}, method: 'GET', headers: { host: 'relay' }, rawHeaders: [] }
    const res = { once() {}, setHeader() {}, end() {} }
    for (const url of ['.evil/x', '*', '//evil/x']) await listener({ ...req, url }, res)
    assert.deepEqual(seen, ['http://relay/.evil/x', 'http://relay/*', 'http://relay//evil/x'])
  })

  it('is fetch, with a cookie also where Headers have no getSetCookie', async () => {
    const headers = { 'set-cookie': 'a=1; Path=/', 'x-other': '1' }
    const fetch = ({ url }) => new Response('', url.endsWith('/none') ? {} : { headers })
    const setting = await HttpSetting.start({ fetch })
    // As on Node.js 18.0.
    const own = Object.getOwnPropertyDescriptor(Headers.prototype, 'getSetCookie')
    delete Headers.prototype.getSetCookie
    try {
      const given = await setting.request('')
      assert.deepEqual(given.headers['set-cookie'], ['a=1; Path=/'])
      assert.equal(given.headers['x-other'], '1')
      assert.equal((await setting.request('/none')).headers['set-cookie'], undefined)
    } finally {
      if (own) Object.defineProperty(Headers.prototype, 'getSetCookie', own)
    }
    await setting.close()
  })

  it("is fetch, and a body that fails is told by 'requestError'", async () => {
    const failure = new Error('the source failed')
    const told = []
    const setting = await HttpSetting.start({
      fetch: () =>
        new Response(
          new ReadableStream({
            start: (stream) => stream.enqueue(Buffer.alloc(100_000)),
            pull: () => Promise.reject(failure),
          }),
        ),
    })
    setting.server.on('requestError', (error) => told.push(error))
    const response = await setting.fetch()
    assert.equal(response.status, 200)
    await assert.rejects(response.text())
    await until(() => told.length > 0)
    assert.deepEqual([told[0].code, told[0].cause], ['HYCO_ERR_HANDLER', failure])
    await setting.close()
  })

  it('is fetch, whose body is given back for a HEAD request', async () => {
    let setting
    const cancelled = new Promise((resolve) => {
      const body = () => new ReadableStream({ pull: () => turn(), cancel: resolve })
      setting = HttpSetting.start({ fetch: () => new Response(body(), { status: 203 }) })
    })
    setting = await setting
    assert.equal((await setting.fetch('', { method: 'HEAD' })).status, 203)
    await cancelled
    assert.deepEqual(setting.errors, [])
    await setting.close()
  })

  it('is a server whose program listens for connections, and gets bytes that nobody shares', async () => {
    const app = http.createServer((req, res) => res.end('ok'))
    const shared = []
    app.on('connection', (socket) => {
      socket.on('data', (bytes) => shared.push(bytes.buffer.byteLength - bytes.length))
    })
    const setting = await HttpSetting.start({ httpServer: app })
    assert.equal(String((await setting.request('')).body), 'ok')
    assert.deepEqual(shared, [0])
    await setting.close()
  })

  it('gets headers as long as the relay passes them (E66)', async () => {
    const headers = { 'x-long': 'x'.repeat(30 * 1024) }
    const setting = await HttpSetting.start()
    setting.server.on('request', (req, res) => res.end(req.headers['x-long']))
    assert.equal(String((await setting.request('', { headers })).body), headers['x-long'])
    await setting.close()
  })

  it('is only one', async () => {
    const setting = await HttpSetting.start()
    const { server } = setting
    server.attach(http.createServer())
    assert.throws(() => server.attach(http.createServer()), TypeError)
    server.detach()
    server.on('request', () => {})
    assert.throws(() => server.attach(http.createServer()), /'server'/)
    const both = { httpServer: http.createServer(), fetch: () => new Response() }
    const options = { server: setting.relay.listenUri('hyco'), token: 'x', ...both }
    assert.throws(() => new hyco.RelayedServer(options), TypeError)
    assert.throws(() => server.attach(1), /must be an http.Server/)
    server.removeAllListeners('request')
    // The app of a framework has events, too, but none of a connection.
    for (const app of [express(), new Koa(), new EventEmitter(), net.createServer()]) {
      assert.throws(() => server.attach(app), /http.createServer\(app\)/)
    }
    for (const begin of [() => server.attach(http.createServer()), () => server.forward(1)]) {
      begin()
      assert.throws(() => server.on('request', () => {}), /'listener' cannot serve requests/)
      assert.equal(server.listenerCount('request'), 0)
      server.detach()
    }
    await setting.close()
  })
})

describe('options', TIMEOUT, () => {
  it('stripPath cuts the hybrid connection off the URL and tells it', async () => {
    const setting = await HttpSetting.start({
      stripPath: true,
      httpServer: http.createServer(mirror),
    })
    const seen = JSON.parse((await setting.request('/a?b')).body)
    assert.equal(seen.url, '/a?b')
    assert.equal(seen.headers['x-forwarded-prefix'], '/hyco')
    await setting.close()
  })

  it('responseTimeout answers 504 and closes the request', async () => {
    const app = http.createServer()
    const setting = await HttpSetting.start({ responseTimeout: 1000, httpServer: app })
    const closed = new Promise((resolve) =>
      app.on('request', (req, res) => res.on('close', resolve)),
    )
    const response = await setting.request('')
    assert.equal(response.statusCode, 504)
    await closed
    await until(() => setting.errors.length === 1)
    assert.equal(setting.errors[0].code, 'HYCO_ERR_TIMEOUT')
    assert.match(setting.errors[0].info.trackingId, /^[0-9a-f-]{36}/)
    await setting.close()
  })

  it('maxRequests answers further requests with 503; drain() waits for the others', async () => {
    const held = []
    const app = http.createServer((req, res) => held.push(res))
    const setting = await HttpSetting.start({ maxRequests: 1, httpServer: app })
    const first = setting.request('')
    await until(() => held.length === 1)
    assert.equal((await setting.request('')).statusCode, 503)
    assert.equal(setting.server.metrics().activeRequests, 1)
    const drained = setting.server.drain()
    held[0].end('late')
    assert.equal(String((await first).body), 'late')
    assert.equal(await drained, true)
    assert.equal(setting.server.metrics().failedRequests, 1)
    await setting.close()
  })

  it('close() gives up what is open', async () => {
    const app = http.createServer()
    const setting = await HttpSetting.start({ httpServer: app })
    const closed = new Promise((resolve) =>
      app.on('request', (req, res) => res.on('close', resolve)),
    )
    const answered = setting.request('').catch((error) => error)
    await until(() => setting.server.metrics().activeRequests === 1)
    await setting.server.close()
    await closed
    await setting.close()
    await answered
  })
})

describe('the socket of a request', TIMEOUT, () => {
  it('has the members of a net.Socket that servers and frameworks read', async () => {
    let seen
    const setting = await HttpSetting.start()
    setting.server.on('request', (req, res) => {
      const { socket } = req
      const { pending, connecting, readyState, remoteFamily, encrypted, timeout } = socket
      seen = { pending, connecting, readyState, remoteFamily, encrypted, timeout }
      seen.address = socket.address()
      seen.same = [socket.setNoDelay(), socket.setKeepAlive(), socket.ref(), socket.unref()].every(
        (returned) => returned === socket,
      )
      socket.setTimeout(60_000)
      seen.later = socket.timeout
      socket.once('close', () => {
        seen.closed = socket.readyState
        setting.server.emit('gone')
      })
      res.end()
    })
    const gone = once(setting.server, 'gone')
    assert.equal((await setting.request('')).statusCode, 200)
    await gone
    assert.deepEqual(seen, {
      pending: false,
      connecting: false,
      readyState: 'open',
      remoteFamily: 'IPv4',
      encrypted: false,
      timeout: undefined,
      address: {},
      same: true,
      later: 60_000,
      closed: 'closed',
    })
    await setting.close()
  })
})

describe('diagnostics channels', TIMEOUT, () => {
  it('tell of requests and of those that fail', async () => {
    const told = []
    const names = ['start', 'end', 'error'].map((name) => `hyco-rs:request:${name}`)
    const hear = (message, name) => told.push({ name, ...message })
    for (const name of names) diagnostics.subscribe(name, hear)
    const app = http.createServer((req, res) => {
      if (!req.url.endsWith('/late')) res.end()
    })
    const setting = await HttpSetting.start({ httpServer: app })
    await setting.request('')
    await until(() => told.length === 2)
    assert.deepEqual(
      told.map(({ name }) => name),
      names.slice(0, 2),
    )
    assert.equal(told[0].server, setting.server)
    assert.equal(told[0].trackingId, told[1].trackingId)
    assert.ok(told[1].duration >= 0)
    const impatient = await HttpSetting.start({ responseTimeout: 1000, httpServer: app })
    await impatient.request('/late')
    await until(() => told.some(({ name }) => name === names[2]))
    assert.equal(told.find(({ name }) => name === names[2]).error.code, 'HYCO_ERR_TIMEOUT')
    for (const name of names) diagnostics.unsubscribe(name, hear)
    await impatient.close()
    await setting.close()
  })
})

describe('over TLS, an https.Server', TIMEOUT, () => {
  it('serves requests without a certificate of its own', async () => {
    const setting = await HttpSetting.start(
      { httpServer: https.createServer(mirror) },
      { tls: true },
    )
    const request = https.request(setting.url, { ca: setting.relay.ca, agent: false })
    request.end()
    const [response] = await once(request, 'response')
    const chunks = []
    for await (const chunk of response) chunks.push(chunk)
    assert.equal(JSON.parse(Buffer.concat(chunks)).encrypted, true)
    await setting.close()
  })
})
