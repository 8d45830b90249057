'use strict'

// How long the JavaScript side waits, by a clock that the tests set.

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { describe, it, mock } = require('node:test')

// Before the package takes its timers.
mock.timers.enable({ apis: ['setTimeout'] })
const Exchange = require('../lib/http/exchange')
const Outgoing = require('../lib/http/outgoing')
const Silence = require('../lib/server/silence')

const ANSWERED = 0

/** An exchange whose request is there. */
function begun() {
  const native = { exchangeFlush() {}, exchangeWrite() {} }
  const info = { trackingId: 'id', remoteAddress: '::1', remotePort: 1, encrypted: true }
  const exchange = new Exchange(new Outgoing(native), 1, info)
  exchange.begin(Buffer.from('GET / HTTP/1.1\r\n\r\n'))
  return exchange
}

describe('an exchange whose answer has been taken', { timeout: 60_000 }, () => {
  it('is destroyed after five seconds if its handler does not end it', async () => {
    const exchange = begun()
    exchange.closed(ANSWERED)
    mock.timers.tick(4_999)
    assert.equal(exchange.destroyed, false)
    mock.timers.tick(1)
    assert.equal(exchange.destroyed, true)
    await once(exchange, 'close')
  })

  it('is left alone when it was destroyed before that', async () => {
    const exchange = begun()
    exchange.closed(ANSWERED)
    exchange.destroy()
    await once(exchange, 'close')
    exchange.destroy = () => assert.fail('it is destroyed again')
    mock.timers.tick(10_000)
  })

  it('is destroyed at once if its handler has ended it', async () => {
    const exchange = begun()
    exchange.resume()
    exchange.end('HTTP/1.1 204 No Content\r\n\r\n')
    await once(exchange, 'finish')
    exchange.closed(ANSWERED)
    assert.equal(exchange.destroyed, true)
  })
})

describe('an exchange on which nothing moves', { timeout: 60_000 }, () => {
  it("emits 'timeout' after the time that was set, and not if that is taken back", () => {
    const [timed, untimed] = [begun(), begun()]
    const seen = []
    timed.setTimeout(100, () => seen.push('timed'))
    untimed.setTimeout(100, () => seen.push('untimed'))
    untimed.setTimeout(0)
    mock.timers.tick(99)
    assert.deepEqual(seen, [])
    mock.timers.tick(1)
    assert.deepEqual(seen, ['timed'])
    mock.timers.tick(1_000)
    assert.deepEqual(seen, ['timed'])
  })
})

describe('a server that was lost', { timeout: 60_000 }, () => {
  it('is warned of when a minute has passed', async () => {
    const warnings = []
    const collect = (warning) => warnings.push(warning.code)
    process.on('warning', collect)
    const silence = new Silence({ path: 'hyco', status: 'offline', listenerCount: () => 0 })
    silence.online()
    const lost = Object.assign(new Error('lost'), { code: 'HYCO_ERR_CONNECTION_LOST' })
    for (let second = 0; second < 60; second++) {
      silence.offline(lost, { delay: 1_000, final: false })
      mock.timers.tick(second < 59 ? 1_000 : 999)
    }
    await new Promise(setImmediate)
    assert.deepEqual(warnings, [])
    mock.timers.tick(1)
    await new Promise(setImmediate)
    assert.deepEqual(warnings, ['HYCO_ERR_CONNECTION_LOST'])
    process.removeListener('warning', collect)
  })
})
