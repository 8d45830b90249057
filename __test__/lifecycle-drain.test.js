'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const http = require('node:http')
const { after, afterEach, before, describe, it } = require('node:test')
const Program = require('./support/children')
const TestRelay = require('./support/relay')

const TIMEOUT = { timeout: 60_000 }
const WELL = { code: 0, signal: null }

// The relay is in this process: one in the program's own would keep that one alive.
describe('a process that drains', { timeout: 240_000 }, () => {
  let relay
  let url
  let count = 0
  const programs = []

  before(async () => {
    const hybridConnections = Array.from({ length: 8 }, (_, i) => ({
      path: `c${i}`,
      requiresClientAuthorization: false,
    }))
    relay = await TestRelay.start({ hybridConnections })
  })

  afterEach(() => Promise.all(programs.splice(0).map((program) => program.end())))

  after(() => relay.close())

  const start = async (env) => {
    const path = `c${count++}`
    url = `${relay.namespace.replace(/^ws/, 'http')}/${path}`
    const program = new Program('lifecycle/drain', {
      env: { URI: relay.listenUri(path), TOKEN: relay.token(), ...env },
    })
    programs.push(program)
    await program.says('listening')
    return program
  }

  const get = async () => {
    const request = http.get(url, { agent: false })
    const [response] = await once(request, 'response')
    return response
  }

  const bytesOf = async (response) => {
    let bytes = 0
    for await (const chunk of response) bytes += chunk.length
    return bytes
  }

  it('stays until its request is answered', TIMEOUT, async () => {
    const program = await start({ MODE: 'attached' })
    assert.equal(await bytesOf(await get()), 2_000_000)
    assert.deepEqual(await program.exited, WELL)
    assert.match(program.output, /drained true closed/)
  })

  it(
    'stays until the time is over that drain() got, and closes what is open',
    TIMEOUT,
    async () => {
      const program = await start({ MODE: 'endless', TIMEOUT: '2000' })
      const response = await get()
      await assert.rejects(bytesOf(response), { code: 'ECONNRESET' })
      assert.deepEqual(await program.exited, WELL)
      assert.match(program.output, /drained false closed/)
    },
  )

  it('stays until a request is answered that it passes on', TIMEOUT, async () => {
    const served = http.createServer((_req, res) => {
      program.tell('drain')
      setTimeout(() => res.end(Buffer.alloc(2_000_000)), 500)
    })
    served.listen(0, '127.0.0.1')
    await once(served, 'listening')
    const program = await start({
      MODE: 'forward',
      SERVED: `http://127.0.0.1:${served.address().port}`,
    })
    assert.equal(await bytesOf(await get()), 2_000_000)
    assert.deepEqual(await program.exited, WELL)
    assert.match(program.output, /drained true closed/)
    served.closeAllConnections()
    served.close()
  })
})
