'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { describe, it } = require('node:test')
const { setImmediate: turn } = require('node:timers/promises')
const WebSocket = require('ws')

const hyco = require('..')

/** The same numbers in every run, so that a failure can be looked at. */
function createRandom(seed) {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state % below
  }
}

const MESSAGES = 10_000
/** What stands where something else should. */
const STRANGE = [
  null,
  true,
  -1,
  1e308,
  '',
  ' ',
  'a\r\nX-Evil: 1',
  '\0',
  'é日\u{1f600}',
  '%zz',
  '../../..',
  '__proto__',
  [],
  {},
  ['a', ['b']],
  { __proto__: { a: 1 }, constructor: 1 },
  'x'.repeat(300_000),
]
const NAMES = ['Host', 'host', '__proto__', 'constructor', 'Transfer-Encoding', 'a b', '', 'X']

/** A request of which some members are something else, or not there. */
function mutated(random, id, address) {
  const request = {
    address,
    id: `id-${id}`,
    requestTarget: '/hyco/x?y',
    method: ['GET', 'POST', 'HEAD', 'OPTIONS'][random(4)],
    remoteEndpoint: { address: '1.2.3.4', port: 5 },
    requestHeaders: { Host: 'h', 'X-A': '1' },
    body: random(3) === 0,
  }
  const members = Object.keys(request)
  for (let i = random(3); i > 0; i--) {
    const member = members[random(members.length)]
    if (random(4) === 0) delete request[member]
    // Long ones cost time, so they are rare.
    else request[member] = STRANGE[random(random(50) === 0 ? STRANGE.length : STRANGE.length - 1)]
  }
  if (random(3) === 0 && typeof request.requestHeaders === 'object' && request.requestHeaders) {
    const entry = [NAMES[random(NAMES.length)], STRANGE[random(STRANGE.length - 1)]]
    request.requestHeaders = Object.fromEntries([['A', 'b'], entry])
  }
  const json = JSON.stringify({ request })
  if (random(20) === 0) return json.slice(0, random(json.length))
  return json
}

describe('a listener that is sent nonsense', { timeout: 300_000 }, () => {
  it('survives 10,000 request messages on one channel, and serves the next', async () => {
    const relay = new WebSocket.Server({ port: 0, host: '127.0.0.1' })
    await once(relay, 'listening')
    const base = `ws://127.0.0.1:${relay.address().port}/$hc/hyco`
    let channels = 0
    const controlled = new Promise((resolve) => {
      relay.on('connection', (socket, request) => {
        socket.on('error', () => {})
        if (!request.url.includes('sb-hc-action=listen')) {
          // A rendezvous for something that was no request.
          socket.close(1000)
          return
        }
        channels++
        resolve(socket)
      })
    })
    const evil = []
    const server = new hyco.RelayedServer({
      server: `${base}?sb-hc-action=listen`,
      token: 'any',
      // Nothing is refused only because much is still to be answered.
      maxRequests: 2 * MESSAGES,
      // The relay here reads answers on the control channel alone, so none may be streamed because
      // the machine is busy.
      responseFlushDelay: 300_000,
      fetch: async (request) => {
        if (request.headers.has('x-evil')) evil.push(request)
        await request.text()
        return new Response('ok')
      },
    })
    let failed = 0
    server.on('requestError', () => failed++)
    const control = await controlled
    const answers = new Set()
    const last = new Promise((resolve) => {
      control.on('message', (data, isBinary) => {
        if (isBinary) return
        const { requestId, statusCode } = JSON.parse(data).response
        assert.ok(statusCode >= 200 && statusCode < 600)
        answers.add(requestId)
        if (requestId === 'last') resolve(statusCode)
      })
    })
    const random = createRandom(1)
    for (let i = 0; i < MESSAGES; i++) {
      control.send(mutated(random, i, `${base}?sb-hc-action=request&sb-hc-id=${i}`))
      if (random(4) === 0) control.send(Buffer.from('body'))
      if (i % 100 === 0) await turn()
    }
    const request = { address: base, id: 'last', method: 'GET', requestHeaders: {}, body: false }
    control.send(JSON.stringify({ request }))
    assert.equal(await last, 200)
    assert.equal(channels, 1)
    assert.deepEqual(evil, [])
    assert.ok(failed > 100, 'what is no request is reported')
    assert.ok(answers.size > 1_000, 'what is one is answered')
    await server.close()
    for (const socket of relay.clients) socket.terminate()
    relay.close()
  })
})
