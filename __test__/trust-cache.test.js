'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { createServer } = require('node:net')
const { describe, it } = require('node:test')

const { relayedConnect } = require('..')
const Trust = require('../lib/hub/trust')
const { Hub } = require('../lib/native')

/** How many different TLS options are kept prepared. */
const KEPT = 64

/** Stands for the native side: gives numbers, and notes what is prepared and what is given up. */
function prepared() {
  const seen = { made: 0, givenUp: [] }
  const trust = new Trust({
    trust: () => ++seen.made,
    distrust: (number) => seen.givenUp.push(number),
  })
  return { trust, seen, of: (name) => trust.prepare({ servername: name }) }
}

describe('prepared TLS options', { timeout: 60_000 }, () => {
  it('are one for equal options, whatever object they come in', () => {
    const { trust, seen, of } = prepared()
    const options = { servername: 'a' }
    assert.equal(trust.prepare(options), 1)
    assert.equal(trust.prepare(options), 1)
    assert.equal(of('a'), 1)
    assert.equal(of('b'), 2)
    assert.equal(trust.prepare(), trust.prepare(undefined))
    assert.equal(seen.made, 3)
  })

  it('are hashed once for each object', () => {
    const { trust } = prepared()
    let read = 0
    const options = {
      get ca() {
        read++
        return ['x']
      },
    }
    for (let n = 0; n < 3; n++) trust.prepare(options)
    assert.equal(read, 1)
  })

  it('are given up, those that were used longest ago first, when there are more than 64', () => {
    const { seen, of } = prepared()
    for (let n = 1; n <= KEPT; n++) assert.equal(of(`host${n}`), n)
    assert.deepEqual(seen.givenUp, [])
    // The first is used again, so the second is the oldest.
    assert.equal(of('host1'), 1)
    of('one more')
    of('and another')
    assert.deepEqual(seen.givenUp, [2, 3])
    assert.equal(of('host1'), 1)
    assert.equal(of('host2'), KEPT + 3)
    assert.deepEqual(seen.givenUp, [2, 3, 4])
  })

  it('that were given up leave their places to others', async (t) => {
    const numbers = []
    const { trust } = Hub.prototype
    t.mock.method(Hub.prototype, 'trust', function (spec) {
      numbers.push(trust.call(this, spec))
      return numbers.at(-1)
    })
    // Nobody listens there any more.
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = `wss://127.0.0.1:${server.address().port}`
    server.close()
    await once(server, 'close')
    for (let n = 0; n < 2 * KEPT; n++) {
      const socket = relayedConnect(address, null, {
        servername: `host${n}`,
        rejectUnauthorized: false,
      })
      await once(socket, 'error')
    }
    assert.equal(numbers.length, 2 * KEPT)
    // A new one is prepared before the oldest is given up.
    assert.equal(Math.max(...numbers), KEPT)
  })
})
