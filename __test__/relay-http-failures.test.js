'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const http = require('node:http')
const net = require('node:net')
const { text } = require('node:stream/consumers')
const { after, before, describe, it } = require('node:test')

const HttpSetting = require('./support/http-server')
const RawListener = require('./support/raw-listener')
const { until } = HttpSetting

const TIMEOUT = { timeout: 120_000 }

/** Opens a connection to the relay and writes bytes as they are. */
function write(setting, bytes) {
  const socket = net.connect(setting.relay.emulator.address.port, '127.0.0.1')
  socket.on('error', () => {})
  socket.write(bytes)
  return socket
}

/** A head of a POST. */
function post(...headers) {
  return ['POST /hyco HTTP/1.1', 'Host: relay', ...headers, '', ''].join('\r\n')
}

describe('a sender that breaks the rules of HTTP', TIMEOUT, () => {
  let setting
  let seen

  before(async () => {
    const app = http.createServer((req, res) => {
      const request = { body: '', ended: false }
      seen.push(request)
      req.on('data', (chunk) => (request.body += chunk))
      req.on('end', () => {
        request.ended = true
        res.end('whole')
      })
      req.on('error', () => {})
      req.on('close', () => (request.closed = true))
    })
    setting = await HttpSetting.start({ httpServer: app })
  })

  after(() => setting.close())

  it('gets 400 for a malformed chunk, and the request of the handler breaks off', async () => {
    seen = []
    const socket = write(setting, `${post('Transfer-Encoding: chunked')}5\r\nhello\r\n`)
    await until(() => seen[0]?.body === 'hello')
    socket.write('zz\r\n')
    const answer = await text(socket)
    assert.match(answer, /^HTTP\/1\.1 400 /)
    assert.match(answer, /The body of the request broke off, or is malformed/)
    assert.doesNotMatch(answer, /^Via:/im)
    await until(() => seen[0].closed)
    assert.equal(seen[0].ended, false)
  })

  it('gets 400 when the first chunk is malformed', async () => {
    seen = []
    assert.match(
      await text(write(setting, `${post('Transfer-Encoding: chunked')}zz\r\n`)),
      /^HTTP\/1\.1 400 /,
    )
    assert.equal(
      seen.some(({ ended }) => ended),
      false,
    )
  })

  it('gets 400 when it ends its side within a body, whichever way that goes', async () => {
    for (const [headers, body] of [
      [['Content-Length: 10'], 'abc'],
      [['Content-Length: 100000'], 'abc'],
      [['Transfer-Encoding: chunked'], '5\r\nab'],
    ]) {
      seen = []
      const socket = write(setting, '')
      socket.end(post(...headers) + body)
      assert.match(await text(socket), /^HTTP\/1\.1 400 /, headers[0])
      assert.equal(
        seen.some(({ ended }) => ended),
        false,
        headers[0],
      )
    }
  })

  it('gets 400 without a Host, or with two; HTTP/1.0 needs none', async () => {
    for (const [head, status] of [
      ['GET /hyco HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
      ['GET /hyco HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n', 400],
      ['GET /hyco HTTP/1.0\r\n\r\n', 200],
      ['GET /hyco HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', 200],
    ]) {
      seen = []
      assert.match(await text(write(setting, head)), new RegExp(`^HTTP/1\\.[01] ${status} `), head)
    }
  })
})

describe('a request whose listener goes away', TIMEOUT, () => {
  it('is answered 502 when the listener is lost and does not come back', async () => {
    const setting = await HttpSetting.start(null)
    const listener = await RawListener.start(setting)
    const answered = setting.request('')
    await listener.next()
    listener.close()
    const answer = await answered
    assert.equal(answer.statusCode, 502)
    assert.equal(answer.headers.via, undefined)
    assert.match(JSON.parse(answer.body).error.message, /^The listener went away/)
    await setting.close()
  })

  it('is answered by the listener that comes back, or by a rendezvous', async () => {
    const setting = await HttpSetting.start(null)
    const lost = await RawListener.start(setting)
    const answers = ['/1', '/2'].map((suffix) => setting.request(suffix))
    const [first, second] = [await lost.next(), await lost.next()]
    // It is back before the relay notices the loss, so that no time has to be kept.
    const back = await RawListener.start(setting)
    lost.close()
    const rendezvous = await lost.dial(second.request.address)
    await lost.answer(second.request, 200, 'by a rendezvous', rendezvous)
    await back.answer(first.request, 200, 'by the next channel')
    assert.deepEqual((await Promise.all(answers)).map(({ body }) => String(body)).sort(), [
      'by a rendezvous',
      'by the next channel',
    ])
    back.close()
    await setting.close()
  })

  it('is answered 502 at once when the rendezvous ends where its body was fetched', async () => {
    const setting = await HttpSetting.start(null)
    const listener = await RawListener.start(setting)
    const answered = setting.request('', { method: 'POST' }, Buffer.alloc(100_000))
    const { rendezvous } = await listener.next()
    rendezvous.close()
    assert.equal((await answered).statusCode, 502)
    listener.close()
    await setting.close()
  })

  it('is answered 502 when its server is closed', async () => {
    const setting = await HttpSetting.start({ httpServer: http.createServer() })
    const answered = setting.request('')
    await until(() => setting.server.metrics().activeRequests === 1)
    const closed = once(setting.server, 'close')
    setting.server.close()
    const answer = await answered
    assert.equal(answer.statusCode, 502)
    assert.match(String(answer.body), /was closed before it had answered/)
    assert.notEqual(answer.headers.via, undefined)
    await closed
    assert.deepEqual(setting.errors, [])
    await setting.close()
  })
})
