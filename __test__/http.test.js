'use strict'

const assert = require('node:assert/strict')
const { AsyncLocalStorage } = require('node:async_hooks')
const { once } = require('node:events')
const http = require('node:http')
const { after, before, beforeEach, describe, it } = require('node:test')
const WebSocket = require('ws')

const HttpSetting = require('./support/http-server')
const { mirror, until } = HttpSetting

const TIMEOUT = { timeout: 300_000 }

describe('an attached http.Server', TIMEOUT, () => {
  let setting
  let app
  let handler

  before(async () => {
    setting = await HttpSetting.start()
    app = http.createServer((req, res) => handler(req, res))
    assert.equal(setting.server.attach(app), setting.server)
  })

  beforeEach(() => {
    handler = mirror
    setting.errors.length = 0
  })

  after(() => setting.close())

  it('sees the request as it was sent, and its sender', async () => {
    const response = await setting.request('/a%2Fb/?q=%20&&x', {
      headers: { 'X-One': '1', Cookie: 'a=b', Expect: '', TE: 'trailers' },
    })
    const seen = JSON.parse(response.body)
    assert.equal(seen.method, 'GET')
    assert.equal(seen.url, '/hyco/a%2Fb/?q=%20&&x')
    assert.equal(seen.headers['x-one'], '1')
    assert.equal(seen.headers.cookie, 'a=b')
    assert.equal(seen.headers.host, new URL(setting.url).host)
    assert.equal(seen.headers.expect, undefined)
    assert.equal(seen.headers.te, undefined)
    assert.equal(seen.headers['content-length'], undefined)
    assert.equal(seen.remoteAddress, '127.0.0.1')
    assert.equal(typeof seen.remotePort, 'number')
    assert.equal(seen.encrypted, false)
    assert.match(seen.trackingId, /^[0-9a-f-]{36}/)
  })

  it('gets bodies of any length, with content-length when small and chunked when not (C40, C41)', async () => {
    for (const size of [0, 1, 65_536, 65_537, 1 << 20]) {
      const body = Buffer.alloc(size, 7)
      const seen = JSON.parse((await setting.request('', { method: 'POST' }, body)).body)
      assert.ok(Buffer.from(seen.body, 'base64').equals(body), `${size} bytes`)
      if (size > 65_536) assert.equal(seen.headers['transfer-encoding'], 'chunked')
      else if (size > 0) assert.equal(seen.headers['content-length'], String(size))
    }
  })

  it('answers with status, reason and headers; several cookies stay apart (C48, C49)', async () => {
    handler = (req, res) => {
      res.writeHead(
        418,
        'Short and stout',
        [
          ['X-A', '1'],
          ['X-A', '2'],
          ['Set-Cookie', 'a=1; Path=/'],
          ['Set-Cookie', 'b=2, c'],
          ['Connection', 'X-Hop'],
          ['X-Hop', 'gone'],
        ].flat(),
      )
      res.end('tea')
    }
    const response = await setting.request('')
    assert.equal(response.statusCode, 418)
    assert.equal(response.statusMessage, 'Short and stout')
    assert.equal(response.headers['x-a'], '1, 2')
    assert.deepEqual(response.headers['set-cookie'], ['a=1; Path=/', 'b=2, c'])
    assert.equal(response.headers['x-hop'], undefined)
    assert.equal(response.headers['content-length'], '3')
    assert.equal(String(response.body), 'tea')
  })

  it('answers HEAD, 204 and 304 without a body, and drops trailers and interim answers (C45)', async () => {
    handler = (req, res) => {
      if (req.method === 'HEAD') return res.end('nobody sees this')
      if (req.url.endsWith('204')) return res.writeHead(204).end()
      if (req.url.endsWith('304')) return res.writeHead(304).end()
      res.writeEarlyHints({ link: '</style.css>; rel=preload' })
      res.writeHead(200, { trailer: 'x-trailer' })
      res.addTrailers({ 'x-trailer': '1' })
      return res.end('body')
    }
    assert.equal((await setting.request('', { method: 'HEAD' })).body.length, 0)
    assert.equal((await setting.request('/204')).statusCode, 204)
    assert.equal((await setting.request('/304')).statusCode, 304)
    const response = await setting.request('/trailers')
    assert.equal(String(response.body), 'body')
    assert.deepEqual(response.trailers, {})
  })

  it('streams what is large or slow, and an event stream at once (C44)', async () => {
    const large = Buffer.alloc(300_000, 'x')
    handler = (req, res) => res.end(large)
    assert.ok((await setting.request('')).body.equals(large))

    let write
    handler = (req, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' })
      write = (text) => res.write(text)
      write('data: 1\n\n')
    }
    const response = await setting.fetch('/events')
    const reader = response.body.getReader()
    assert.equal(String(Buffer.from((await reader.read()).value)), 'data: 1\n\n')
    write('data: 2\n\n')
    assert.equal(String(Buffer.from((await reader.read()).value)), 'data: 2\n\n')
    await reader.cancel()
  })

  it('may answer before it has read, or without reading', async () => {
    handler = (req, res) => res.writeHead(413).end('too much')
    for (const size of [10, 60_000]) {
      const response = await setting.request('', { method: 'POST' }, Buffer.alloc(size))
      assert.equal(response.statusCode, 413)
      assert.equal(String(response.body), 'too much')
    }
  })

  it("sees 'close' when a sender leaves in the middle of a stream (C52)", async () => {
    const closed = new Promise((resolve) => {
      handler = (req, res) => {
        res.writeHead(200, { 'content-type': 'text/event-stream' })
        const timer = setInterval(() => res.write('data: x\n\n'), 10)
        res.on('close', () => {
          clearInterval(timer)
          resolve(res.writableFinished)
        })
      }
    })
    const gone = new AbortController()
    const response = await setting.fetch('', { signal: gone.signal })
    await response.body.getReader().read()
    gone.abort()
    assert.equal(await closed, false)
  })

  it('that answers a sender who has left is told nothing, and serves the next (C52)', async () => {
    for (const size of [2, 100_000]) {
      let waiting
      handler = (req, res) => (waiting = res)
      const request = http.get(setting.url, { agent: false })
      request.on('error', () => {})
      await until(() => waiting !== undefined)
      request.destroy()
      waiting.end(Buffer.alloc(size, 'x'))
      await until(() => setting.server.metrics().activeRequests === 0)
      handler = mirror
      assert.equal((await setting.request('')).statusCode, 200)
    }
    assert.deepEqual(setting.errors, [])
  })

  it('breaks a response off visibly', async () => {
    let destroy
    handler = (req, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' })
      res.write('data: 1\n\n')
      destroy = () => res.destroy()
    }
    const reader = (await setting.fetch('')).body.getReader()
    await reader.read()
    destroy()
    await assert.rejects(reader.read())
  })

  it('that gives its response up on purpose is no error, one whose response is too short is', async () => {
    handler = (req, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream', 'content-length': 9 })
      res.write('short', () => (req.url.endsWith('given-up') ? res.destroy() : res.end()))
    }
    const before = setting.server.metrics().failedRequests
    // Whether the sender sees 502 or half of the response depends on how soon the relay has the head.
    for (const path of ['/given-up', '/short']) await setting.request(path).catch(() => {})
    await until(() => setting.errors.length > 0)
    assert.deepEqual(
      setting.errors.map(({ code }) => code),
      ['HYCO_ERR_BAD_ANSWER'],
    )
    assert.equal(setting.server.metrics().failedRequests, before + 1)
  })

  it('that destroys the socket gives the sender 502', async () => {
    handler = (req) => req.socket.destroy()
    assert.equal((await setting.request('')).statusCode, 502)
    await until(() => setting.errors.length === 1)
    assert.equal(setting.errors[0].code, 'HYCO_ERR_BAD_ANSWER')
  })

  it('that throws gives the sender 500 with a tracking id, and the exception surfaces (C50)', async () => {
    handler = () => {
      throw new Error('a secret')
    }
    const thrown = new Promise((resolve) => {
      process.setUncaughtExceptionCaptureCallback(resolve)
    })
    const response = await setting.request('')
    process.setUncaughtExceptionCaptureCallback(null)
    assert.equal((await thrown).message, 'a secret')
    assert.equal(response.statusCode, 500)
    assert.match(response.statusMessage, /TrackingId:[0-9a-f-]{36}/)
    assert.doesNotMatch(String(response.body), /secret/)
  })

  it('answers in any order, and keeps senders and their async contexts apart (C53)', async () => {
    const storage = new AsyncLocalStorage()
    const waiting = []
    handler = (req, res) => {
      assert.equal(storage.getStore(), undefined)
      storage.run(req.url, () => {
        waiting.push(AsyncLocalStorage.bind(() => res.end(storage.getStore())))
        if (waiting.length === 10) for (const answer of waiting.toReversed()) answer()
      })
    }
    const suffixes = Array.from({ length: 10 }, (_, i) => `/${i}`)
    const bodies = await Promise.all(
      suffixes.map(async (suffix) => String((await setting.request(suffix)).body)),
    )
    assert.deepEqual(
      bodies,
      suffixes.map((suffix) => `/hyco${suffix}`),
    )
  })

  it("meets WebSocket senders with its 'upgrade' listeners, or refuses them", async () => {
    const wss = new WebSocket.Server({ noServer: true, handleProtocols: () => 'b' })
    let ended, sender
    const upgrade = (req, socket, head) => {
      sender = { address: req.socket.remoteAddress, port: req.socket.remotePort }
      if (req.url.endsWith('/no')) {
        socket.end('HTTP/1.1 403 Not today\r\n\r\n')
        return
      }
      if (req.url.endsWith('/gone')) {
        socket.destroy()
        return
      }
      assert.equal(req.headers['sec-websocket-extensions'], undefined)
      ended = once(socket, 'end')
      wss.handleUpgrade(req, socket, head, (ws) => {
        ws.send('at once')
        ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }))
      })
    }
    app.on('upgrade', upgrade)
    const client = new WebSocket(setting.relay.sendUri('hyco/yes'), ['a', 'b'])
    const messages = []
    client.on('message', (data) => messages.push(data))
    await once(client, 'open')
    assert.equal(client.protocol, 'b')
    assert.deepEqual(sender, { address: '127.0.0.1', port: client._socket.localPort })
    client.send('x'.repeat(100_000))
    await until(() => messages.length === 2)
    assert.equal(String(messages[0]), 'at once')
    assert.equal(messages[1].length, 100_000)
    client.close(4000, 'enough')
    assert.deepEqual((await once(client, 'close')).map(String), ['4000', 'enough'])
    await ended
    for (const [suffix, status, reason] of [
      ['no', 403, 'Not today'],
      ['gone', 502, 'Bad Gateway'],
    ]) {
      const refused = new WebSocket(setting.relay.sendUri(`hyco/${suffix}`))
      refused.on('error', () => {})
      const [request, response] = await once(refused, 'unexpected-response')
      assert.equal(response.statusCode, status)
      assert.equal(response.statusMessage, reason)
      request.destroy()
    }
    app.off('upgrade', upgrade)
  })

  it("tells nobody of a sender who leaves while an 'upgrade' listener decides", async () => {
    setting.errors.length = 0
    const wss = new WebSocket.Server({ noServer: true })
    const [held] = await Promise.all([
      once(app, 'upgrade'),
      new Promise((resolve) => {
        const client = new WebSocket(setting.relay.sendUri('hyco/hesitant'))
        client.on('error', () => {})
        client.on('close', resolve)
        app.once('upgrade', () => client.terminate())
      }),
    ])
    // The relay hears of the end soon; if it has not, the sender is met and leaves then.
    await new Promise((resolve) => setTimeout(resolve, 100))
    const closed = once(held[1], 'close')
    wss.handleUpgrade(...held, () => {})
    await closed
    assert.deepEqual(setting.errors, [])
  })

  it('can be taken away again, after which nobody serves', async () => {
    assert.equal(setting.server.detach(), setting.server)
    const response = await setting.request('')
    assert.equal(response.statusCode, 501)
    assert.match(response.statusMessage, /TrackingId:/)
    setting.server.attach(app)
    assert.equal((await setting.request('')).statusCode, 200)
  })
})
