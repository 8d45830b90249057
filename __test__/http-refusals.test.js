'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const http = require('node:http')
const { after, before, beforeEach, describe, it } = require('node:test')

const HttpSetting = require('./support/http-server')

const TIMEOUT = { timeout: 300_000 }

describe('what an http.Server answers by itself reaches the sender as it is', TIMEOUT, () => {
  let setting
  let app
  let handler

  before(async () => {
    const limits = { requestTimeout: 300, headersTimeout: 300, connectionsCheckingInterval: 50 }
    app = http.createServer(limits, (req, res) => handler(req, res))
    // Node looks for late requests only in a server that listens.
    app.listen(0, '127.0.0.1')
    setting = await HttpSetting.start({ httpServer: app })
  })

  beforeEach(() => {
    handler = (req, res) => res.end()
    setting.errors.length = 0
  })

  after(async () => {
    await setting.close()
    await new Promise((resolve) => app.close(resolve))
  })

  it('400 for a method that Node does not know', async () => {
    const response = await fetch(setting.url, { method: 'BREW' })
    assert.equal(response.status, 400)
    assert.equal(response.statusText, 'Bad Request')
  })

  it('431 for headers that are longer than its limit', async () => {
    const response = await setting.request('', { headers: { 'x-long': 'x'.repeat(20_000) } })
    assert.equal(response.statusCode, 431)
  })

  it('408 for a body that does not come', async () => {
    handler = (req) => req.resume()
    const request = http.request(setting.url, { method: 'POST', agent: false })
    request.on('error', () => {})
    request.flushHeaders()
    const [response] = await new Promise((resolve) => {
      request.on('response', (...given) => resolve(given))
    })
    assert.equal(response.statusCode, 408)
    request.destroy()
  })

  it("what a 'clientError' listener writes before it destroys the socket", async () => {
    const refuse = (error, socket) => {
      socket.write('HTTP/1.1 418 As it is\r\nContent-Length: 3\r\n\r\ntea')
      socket.destroy()
    }
    app.on('clientError', refuse)
    const response = await fetch(setting.url, { method: 'BREW' })
    app.off('clientError', refuse)
    assert.equal(response.status, 418)
    assert.equal(response.statusText, 'As it is')
    assert.equal(await response.text(), 'tea')
  })

  it("what a 'clientError' listener ends the socket with, which is closed then", async () => {
    let closed
    const refuse = (error, socket) => {
      closed = once(socket, 'close')
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
    }
    app.on('clientError', refuse)
    assert.equal((await fetch(setting.url, { method: 'BREW' })).status, 400)
    app.off('clientError', refuse)
    await closed
    assert.deepEqual(setting.errors, [])
  })

  it('what a handler ends the socket with, after which its request is closed', async () => {
    let closed
    handler = (req, res) => {
      closed = Promise.all([once(res, 'close'), new Promise((resolve) => req.on('close', resolve))])
      req.on('error', () => {})
      req.socket.end('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nraw')
    }
    for (const init of [{}, { method: 'POST', body: 'x'.repeat(100_000) }]) {
      assert.equal(await (await fetch(setting.url, init)).text(), 'raw')
      await closed
    }
  })

  it('a whole answer, though the socket is destroyed behind it or the handler throws', async () => {
    handler = (req, res) => {
      res.end('whole')
      req.socket.destroy()
    }
    assert.equal(String((await setting.request('')).body), 'whole')
    const thrown = new Promise((resolve) => process.setUncaughtExceptionCaptureCallback(resolve))
    handler = (req, res) => {
      res.end('whole')
      throw new Error('too late')
    }
    assert.equal(String((await setting.request('')).body), 'whole')
    assert.equal((await thrown).message, 'too late')
    process.setUncaughtExceptionCaptureCallback(null)
  })

  it('a reason phrase in Latin letters', async () => {
    handler = (req, res) => {
      res.statusMessage = 'Café zu'
      res.statusCode = 503
      res.end()
    }
    const response = await setting.request('')
    assert.equal(response.statusCode, 503)
    assert.equal(response.statusMessage, 'Café zu')
  })
})

describe('a server that gives a request up', TIMEOUT, () => {
  let setting
  let handler

  before(async () => {
    setting = await HttpSetting.start({
      httpServer: http.createServer((req, res) => handler(req, res)),
      // What has begun is not streamed, however slow the machine is.
      responseFlushDelay: 60_000,
    })
  })

  after(() => setting.close())

  it('is said to have broken its answer off if that had begun', async () => {
    handler = (req, res) => {
      res.write('half')
      setImmediate(() => res.destroy())
    }
    const response = await setting.request('')
    assert.equal(response.statusCode, 502)
    assert.match(String(response.body), /broke its answer off/)
    assert.deepEqual(setting.errors, [], 'the handler knows')
  })

  it('in a later callback ends the request at once', async () => {
    for (const giveUp of [
      (req) => req.destroy(),
      (req) => req.destroy(new Error('given up')),
      (req, res) => res.destroy(),
      (req) => req.socket.destroySoon(),
    ]) {
      handler = (req, res) => setImmediate(giveUp, req, res)
      assert.equal((await setting.request('')).statusCode, 502, String(giveUp))
    }
  })
})
