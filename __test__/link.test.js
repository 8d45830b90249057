'use strict'

const assert = require('node:assert/strict')
const { describe, it } = require('node:test')

const Link = require('../lib/hub/link')

/** A hub that notes what it is asked for. */
function createHub() {
  const asked = []
  const note = (name, answer) => {
    return (link, ...args) => {
      asked.push([name, link, ...args])
      return answer
    }
  }
  return {
    asked,
    send: note('send'),
    buffered: note('buffered', 77),
    pause: note('pause'),
    end: note('end'),
    destroy: note('destroy'),
    abort: note('abort'),
  }
}

/** Asks everything of a link. */
function askAll(link) {
  link.send(2, true, true, false, 'x')
  link.pause(true)
  link.end()
  link.destroy()
  link.abort()
  return link.buffered()
}

describe('a link', { timeout: 60_000 }, () => {
  it('knows the number and the generation of its connection', () => {
    const link = new Link(createHub())
    link.bind(5 * 2 ** 21 + 3)
    assert.deepEqual([link.number, link.generation, link.isBound], [3, 5, true])
    link.bind(2 ** 53 - 1)
    assert.deepEqual([link.number, link.generation], [2 ** 21 - 1, 2 ** 32 - 1])
  })

  it('asks its connection while there is one, and nobody before and afterwards', () => {
    const hub = createHub()
    const link = new Link(hub)
    assert.equal(askAll(link), 0)
    assert.deepEqual(hub.asked, [])

    link.bind(0)
    assert.equal(askAll(link), 77)
    assert.deepEqual(hub.asked, [
      ['send', link, 2, true, true, false, 'x'],
      ['pause', link, true],
      ['end', link],
      ['destroy', link],
      ['abort', link],
      ['buffered', link],
    ])

    hub.asked.length = 0
    link.unbind()
    assert.equal(link.isBound, false)
    assert.equal(askAll(link), 0)
    assert.deepEqual(hub.asked, [])
  })
})
