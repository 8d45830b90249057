'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { join } = require('node:path')
const { createClient } = require('graphql-ws')
const { io } = require('socket.io-client')
const { after, afterEach, before, describe, it } = require('node:test')
const WebSocket = require('ws')

const Program = require('./support/children')
const HttpSetting = require('./support/http-server')
const { mirror } = HttpSetting

const EXAMPLES = join(__dirname, '..', 'examples')
const TIMEOUT = { timeout: 600_000 }

describe('the examples of HTTP', TIMEOUT, () => {
  let setting
  let running = []

  before(async () => {
    setting = await HttpSetting.start(null)
  })

  after(() => setting.close())

  afterEach(async () => {
    await Promise.all(running.map((program) => program.end()))
    running = []
  })

  /** Runs an example until it listens. */
  async function start(file, args = []) {
    const connectionString = `${setting.relay.emulator.connectionString};EntityPath=hyco`
    const program = new Program(join(EXAMPLES, file), {
      args,
      env: { HYCO_CONNECTION_STRING: connectionString },
    })
    running.push(program)
    await program.says('listening at')
    return program
  }

  const json = async (suffix, init) => (await setting.fetch(suffix, init)).json()

  it('http-express.js answers with cookies, and reads JSON', async () => {
    await start('http-express.js')
    const response = await setting.fetch('/hello?name=you')
    assert.deepEqual(await response.json(), { hello: 'you', from: '127.0.0.1' })
    assert.equal(response.headers.getSetCookie().length, 2)
    const sent = {
      method: 'POST',
      body: '[1,2,3]',
      headers: { 'content-type': 'application/json' },
    }
    assert.deepEqual(await json('/sum', sent), { sum: 6 })
  })

  it('http-fastify.js', async () => {
    await start('http-fastify.js')
    assert.equal((await json('/hello/you')).hello, 'you')
    const sent = {
      method: 'POST',
      body: '{"a":1}',
      headers: { 'content-type': 'application/json' },
    }
    assert.deepEqual(await json('/echo', sent), { a: 1 })
  })

  it('http-koa.js', async () => {
    await start('http-koa.js')
    assert.deepEqual(await json('/x'), { path: '/x', from: '127.0.0.1' })
  })

  it('http-hono.mjs', async () => {
    await start('http-hono.mjs')
    assert.deepEqual(await json('/hello/you'), { hello: 'you' })
    const response = await setting.fetch('/upper', { method: 'POST', body: 'loud' })
    assert.equal(await response.text(), 'LOUD')
  })

  it('http-socket.io.js by either transport', async () => {
    await start('http-socket.io.js')
    const { port } = setting.relay.emulator.address
    for (const [url, path, transports] of [
      [`http://127.0.0.1:${port}`, '/hyco/socket.io/', ['polling']],
      [`ws://127.0.0.1:${port}`, '/$hc/hyco/socket.io/', ['websocket']],
    ]) {
      const socket = io(url, { path, transports, forceNew: true })
      await once(socket, 'connect')
      assert.equal(await socket.emitWithAck('say', 'hello'), 'heard hello')
      socket.disconnect()
    }
  })

  it('http-graphql-ws.js answers queries and subscriptions', async () => {
    await start('http-graphql-ws.js')
    const query = JSON.stringify({ query: '{ hello }' })
    assert.deepEqual(await json('', { method: 'POST', body: query }), { data: { hello: 'world' } })
    const url = setting.relay.sendUri('hyco')
    const client = createClient({ url, webSocketImpl: WebSocket })
    const counts = []
    for await (const { data } of client.iterate({ query: 'subscription { count(to: 3) }' })) {
      counts.push(data.count)
    }
    assert.deepEqual(counts, [1, 2, 3])
    await client.dispose()
  })

  it('http-events.js sends events until the reader leaves', async () => {
    const program = await start('http-events.js')
    const gone = new AbortController()
    const reader = (await setting.fetch('', { signal: gone.signal })).body.getReader()
    // Events that the reader was late for come together.
    let seen = ''
    while (!seen.includes('id: 3\n')) seen += Buffer.from((await reader.read()).value)
    assert.deepEqual(seen.match(/^id: \d+$/gm).slice(0, 3), ['id: 1', 'id: 2', 'id: 3'])
    gone.abort()
    await program.says('a reader left after')
  })

  it('http-upload.js takes files of any size', async () => {
    await start('http-upload.js')
    const body = Buffer.alloc(5 << 20, 1)
    const { file, size } = await json('/file', { method: 'PUT', body })
    assert.deepEqual([file, size], ['/hyco/file', 5 << 20])
  })

  it('http-forward.js passes on and logs', async () => {
    const http = require('node:http')
    const upstream = http.createServer(mirror).listen(0, '127.0.0.1')
    await once(upstream, 'listening')
    const program = await start('http-forward.js', [String(upstream.address().port)])
    assert.equal((await json('/a')).url, '/hyco/a')
    await program.says('GET /hyco/a 200')
    upstream.closeAllConnections()
    await new Promise((resolve) => upstream.close(resolve))
  })
})
