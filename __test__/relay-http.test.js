'use strict'

const assert = require('node:assert/strict')
const { execFile } = require('node:child_process')
const { once } = require('node:events')
const http = require('node:http')
const net = require('node:net')
const { text } = require('node:stream/consumers')
const { after, afterEach, before, describe, it } = require('node:test')
const { promisify } = require('node:util')

const HttpSetting = require('./support/http-server')
const RawListener = require('./support/raw-listener')

const run = promisify(execFile)
const TIMEOUT = { timeout: 120_000 }

/** Writes bytes to the relay as they are, and gives what comes back until it closes. */
async function raw(setting, bytes) {
  const socket = net.connect(setting.relay.emulator.address.port, '127.0.0.1')
  socket.write(bytes)
  return text(socket)
}

describe('HTTP through the local relay', TIMEOUT, () => {
  let setting
  let listener

  before(async () => {
    setting = await HttpSetting.start(null)
    listener = await RawListener.start(setting)
  })

  afterEach(() => listener.reset())

  after(async () => {
    listener.close()
    await setting.close()
  })

  it('small bodies of known length go by the control channel, others by a pointer (E47, E48)', async () => {
    for (const [size, headers, pointer] of [
      [0, {}, false],
      [5, { 'content-length': 5 }, false],
      [65_536, { 'content-length': 65_536 }, false],
      [65_537, { 'content-length': 65_537 }, true],
      [5, { 'transfer-encoding': 'chunked' }, true],
    ]) {
      const answered = setting.request('/b', { method: 'POST', headers }, Buffer.alloc(size, 1))
      const { request, body, rendezvous, members } = await listener.next()
      assert.equal(rendezvous !== undefined, pointer, `${size}`)
      if (pointer) assert.deepEqual(members, ['address'])
      assert.equal(request.body, size > 0)
      assert.equal(body?.length ?? 0, size)
      await listener.answer(request, 200, 'ok', rendezvous)
      assert.equal(String((await answered).body), 'ok')
    }
  })

  it('a request and its body are adjacent under load (E49, E64)', async () => {
    listener.echo()
    const bodies = Array.from({ length: 50 }, (_, i) => `${i}`.repeat(i + 1))
    const answers = await Promise.all(
      bodies.map((body) => setting.request('', { method: 'PUT' }, body)),
    )
    assert.deepEqual(
      answers.map(({ body }) => String(body)),
      bodies,
    )
  })

  it('requestTarget keeps what is not of the relay (E50)', async () => {
    for (const [sent, seen] of [
      ['?sb-hc-id=1', ''],
      ['?sb-hc-id=1&custom=value', '?custom=value'],
      ['?custom=value&sb-hc-id=1', '?custom=value'],
      ['?sb-hc-whatever=', ''],
      ['?sb-hc-undefined', '?sb-hc-undefined'],
      ['?a=1&a=2&', '?a=1&a=2&'],
      ['?&&&', '?&&&'],
      ['?&foo=bar', '?&foo=bar'],
      ['?+', '?+'],
      ['?%2B', '?%2B'],
      ['?%2f%3a%3d%26', '?%2f%3a%3d%26'],
      ['?api-version=abc', '?api-version=abc'],
    ]) {
      const answered = setting.request(sent)
      const { request } = await listener.next()
      assert.equal(request.requestTarget, `/hyco${seen}`)
      await listener.answer(request, 204)
      await answered
    }
  })

  it('requestHeaders lack what belongs to the connection, and have Host and Via (E51)', async () => {
    const answered = setting.request('', {
      headers: {
        Connection: 'close, X-Hop',
        'X-Hop': '1',
        TE: 'trailers',
        Via: '1.0 proxy',
        'X-Twice': ['a', 'b'],
        Cookie: 'c=d',
        ServiceBusAuthorization: 'secret',
        Authorization: 'Basic x',
      },
    })
    const { request } = await listener.next()
    const headers = request.requestHeaders
    assert.deepEqual(Object.keys(headers).sort(), [
      'Authorization',
      'Cookie',
      'Host',
      'Via',
      'X-Twice',
    ])
    assert.equal(headers.Host, new URL(setting.url).host)
    assert.equal(headers.Via, '1.0 proxy, 1.1 127.0.0.1')
    assert.equal(headers['X-Twice'], 'a, b')
    await listener.answer(request, 204)
    await answered
  })

  it('answers come by control channel or rendezvous, small or large, in any order (E52)', async () => {
    const answered = ['/1', '/2', '/3', '/4'].map((suffix) => setting.request(suffix))
    const requests = []
    for (let i = 0; i < 4; i++) requests.push((await listener.next()).request)
    const large = 'x'.repeat(200_000)
    for (const request of requests.toReversed()) {
      const number = Number(request.requestTarget.at(-1))
      const rendezvous = number % 2 === 0 ? await listener.dial(request.address) : undefined
      await listener.answer(request, 200, number === 4 ? large : `${number}`, rendezvous)
    }
    const bodies = (await Promise.all(answered)).map(({ body }) => String(body))
    assert.deepEqual(bodies, ['1', '2', '3', large])
  })

  it('statuses, reasons and cookies of a response pass (E53, E54, E55)', async () => {
    for (const [statusCode, description, status, reason] of [
      ['200', undefined, 200, 'OK'],
      [418, 'Short and stout', 418, 'Short and stout'],
      [999, undefined, 999, ''],
      [502, 'Mine', 502, 'Mine'],
      [100, undefined, 502, undefined],
    ]) {
      const answered = setting.request('')
      const { request } = await listener.next()
      const responseHeaders = { 'Set-Cookie': ['a=1', 'b=2'], 'set-cookie': 'c=3', 'X-A': '1' }
      listener.send({
        response: {
          requestId: request.id,
          statusCode,
          statusDescription: description,
          responseHeaders,
        },
      })
      const response = await answered
      assert.equal(response.statusCode, status)
      if (reason !== undefined) {
        assert.equal(response.statusMessage, reason)
        assert.deepEqual(response.headers['set-cookie'], ['a=1', 'b=2', 'c=3'])
        assert.equal(response.headers.via, '1.1 127.0.0.1')
      } else {
        assert.equal(response.headers.via, undefined)
      }
    }
  })

  it('HEAD, 204 and 304 carry no body, and framing headers are ignored (E56, E57)', async () => {
    for (const [method, status] of [
      ['HEAD', 200],
      ['GET', 204],
      ['GET', 304],
      ['GET', 200],
    ]) {
      const answered = setting.request('', { method })
      const { request } = await listener.next()
      const headers = {
        'Content-Length': '99',
        'Transfer-Encoding': 'chunked',
        Connection: 'close',
      }
      await listener.answer(request, status, 'body', undefined, headers)
      const { body } = await answered
      assert.equal(String(body), method === 'GET' && status === 200 ? 'body' : '')
    }
  })

  it("a rule's name and key in the query are as good as a token (E5)", async () => {
    const guarded = await HttpSetting.start(null, { hybridConnections: ['hyco'] })
    const { keyName, key } = guarded.relay.emulator
    const listening = await RawListener.start(guarded)
    listening.echo()
    const query = (name, value) =>
      new URLSearchParams({ 'sb-hc-sas-key-name': name, 'sb-hc-sas-key': value })
    for (const [sent, status] of [
      [query(keyName, key), 200],
      [query(keyName, 'another key'), 401],
      [query('another name', key), 401],
      [new URLSearchParams({ 'sb-hc-sas-key-name': keyName }), 401],
      [new URLSearchParams({ 'sb-hc-sas-key': key }), 401],
      ['', 401],
    ]) {
      assert.equal((await guarded.request(`?${sent}`)).statusCode, status, String(sent))
    }
    listening.close()
    await guarded.close()
  })

  it('a body without FIN is whole after a close with 1000, and broken off otherwise (E58)', async () => {
    for (const close of [true, false]) {
      const sent = http.request(setting.url, { agent: false }).end()
      const { request } = await listener.next()
      const rendezvous = await listener.dial(request.address)
      rendezvous.send(listener.response(request, 200, true))
      rendezvous.send('part', { binary: true, fin: false })
      const [response] = await once(sent, 'response')
      if (close) rendezvous.close(1000)
      else rendezvous.terminate()
      const body = text(response)
      if (close) assert.equal(await body, 'part')
      else await assert.rejects(body, { code: 'ECONNRESET' })
    }
  })

  it('errors of the relay are JSON without Via (E13, E59, E61)', async () => {
    const unknown = await setting.request('-unknown')
    assert.equal(unknown.statusCode, 401)
    const impatient = await HttpSetting.start(null, {
      hybridConnections: [{ path: 'hyco', requiresClientAuthorization: false }],
      responseTimeout: 50,
    })
    const nobody = await impatient.request('')
    const error = JSON.parse(nobody.body).error
    assert.deepEqual([nobody.statusCode, error.code], [404, 'EndpointNotFound'])
    assert.match(error.message, /^There are no listeners connected .* TrackingId:/)
    const silent = await RawListener.start(impatient)
    const late = await impatient.request('')
    assert.equal(late.statusCode, 504)
    assert.equal(late.headers.via, undefined)
    assert.equal(JSON.parse(late.body).error.code, 'GatewayTimeout')
    const { request } = await silent.next()
    await silent.answer(request, 200, 'too late')
    silent.close()
    await impatient.close()
  })

  it('what is no response closes a rendezvous with 1002 (E62)', async () => {
    for (const [message, reason] of [
      [Buffer.from('x'), /first message/],
      ['{}', /no response/],
      ['{"response":{"statusCode":200}}', /requestId/],
    ]) {
      const answered = setting.request('')
      const { request } = await listener.next()
      const rendezvous = await listener.dial(request.address)
      rendezvous.send(message)
      const [code, text] = await once(rendezvous, 'close')
      assert.equal(code, 1002)
      assert.match(String(text), reason)
      await listener.answer(request, 204)
      await answered
    }
  })

  it('a kept connection serves many requests, also after a rendezvous (E63)', async () => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    listener.echo()
    for (const size of [1, 100_000, 2, 300_000, 0]) {
      const { body } = await setting.request('', { method: 'POST', agent }, Buffer.alloc(size, 1))
      assert.equal(body.length, size)
    }
    agent.destroy()
  })

  it('CONNECT is refused, and Expect is answered (E65)', async () => {
    const refused = await raw(
      setting,
      'CONNECT h:1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n',
    )
    assert.match(refused, /^HTTP\/1\.1 [45]/)
    listener.echo()
    const request = http.request(setting.url, {
      method: 'POST',
      headers: { Expect: '100-continue', 'content-length': 2 },
    })
    request.flushHeaders()
    await once(request, 'continue')
    request.end('ok')
    const [response] = await once(request, 'response')
    assert.equal(await text(response), 'ok')
  })

  it('headers longer than 32 KiB are refused with 431 (E66)', async () => {
    const response = await setting.request('', { headers: { 'x-long': 'x'.repeat(33_000) } })
    assert.equal(response.statusCode, 431)
  })

  it('many short headers are not too long (E66)', async () => {
    const names = Array.from({ length: 500 }, (_, index) => `X-${index}`)
    const answered = setting.request('', {
      headers: Object.fromEntries(names.map((n) => [n, '1'])),
    })
    const { request } = await listener.next()
    assert.equal(names.filter((name) => request.requestHeaders[name] === '1').length, 500)
    await listener.answer(request, 204)
    assert.equal((await answered).statusCode, 204)
  })

  it('runtime information needs X-PROCESS-AT (E67)', async () => {
    const ask = (suffix, Authorization = setting.relay.token()) =>
      setting.request(`${suffix}?api-version=2016-07`, {
        headers: { 'X-PROCESS-AT': 'servicebus', Authorization },
      })
    const known = await ask('')
    assert.match(known.headers['content-type'], /type=entry/)
    assert.match(String(known.body), /<ListenerCount>1<\/ListenerCount>/)
    assert.match(String(known.body), /<RequiresClientAuthorization>false</)
    const unknown = await ask('-unknown')
    assert.match(unknown.headers['content-type'], /type=feed/)
    const refused = await ask('', 'nonsense')
    assert.equal(refused.statusCode, 401)
    assert.match(String(refused.body), /<Error><Code>401<\/Code><Detail>/)
  })

  it('listeners shaped as those for Java and .NET are understood (E44, E53, E58, E71)', async () => {
    const answered = setting.request('', { method: 'POST' }, Buffer.alloc(70_000, 'j'))
    const { request, rendezvous, body } = await listener.next()
    assert.equal(body.length, 70_000)
    // .NET and Java wait for 2 s before they send what has begun; Go sends the status as a text.
    await new Promise((resolve) => setTimeout(resolve, 2_000))
    const { response } = JSON.parse(listener.response(request, '201', true, { 'X-A': '1' }))
    rendezvous.send(JSON.stringify({ response: { ...response, statusDescription: 'Made' } }))
    rendezvous.send('first ', { binary: true, fin: false })
    rendezvous.send('second', { binary: true, fin: false })
    // Java's client never ends the message.
    rendezvous.close(1000)
    const { statusCode, statusMessage, headers, body: whole } = await answered
    assert.deepEqual([statusCode, statusMessage, headers['x-a']], [201, 'Made', '1'])
    assert.equal(String(whole), 'first second')
  })

  it('curl and undici get what was sent (E71)', async () => {
    listener.echo()
    const args = ['-sS', '--data-binary', 'from curl', setting.url]
    assert.equal((await run('curl', args)).stdout, 'from curl')
    const response = await fetch(setting.url, { method: 'POST', body: 'x'.repeat(100_000) })
    assert.equal((await response.text()).length, 100_000)
  })
})

describe('options of the local relay', TIMEOUT, () => {
  it('reuseRendezvous serves the next request of a connection where the last one was (C47)', async () => {
    const setting = await HttpSetting.start(null, {
      hybridConnections: [{ path: 'hyco', requiresClientAuthorization: false }],
      reuseRendezvous: true,
      forwardHost: false,
    })
    const listener = await RawListener.start(setting)
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    const first = setting.request('/1', { agent })
    const { request } = await listener.next()
    assert.equal(request.requestHeaders.Host, undefined)
    const rendezvous = await listener.dial(request.address)
    await listener.answer(request, 200, 'one', rendezvous)
    assert.equal(String((await first).body), 'one')
    const second = setting.request('/2', { agent })
    const again = JSON.parse((await once(rendezvous, 'message'))[0]).request
    assert.equal(again.requestTarget, '/hyco/2')
    await listener.answer(again, 200, 'two', rendezvous)
    assert.equal(String((await second).body), 'two')
    agent.destroy()
    assert.equal((await once(rendezvous, 'close'))[0], 1000)
    listener.close()
    await setting.close()
  })
})
