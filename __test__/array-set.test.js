'use strict'

const assert = require('node:assert/strict')
const { describe, it } = require('node:test')

const ArraySet = require('../lib/server/array-set')

const TIMEOUT = { timeout: 60_000 }

/** One with these values. */
function createSet(...values) {
  const set = new ArraySet()
  for (const value of values) set.add(value)
  return set
}

describe('an array that is a set as well', TIMEOUT, () => {
  it('takes each value once, in order, and tells how many there are', () => {
    const set = createSet('a')
    assert.equal(set.add('b'), set)
    set.add('a')
    assert.deepEqual([...set], ['a', 'b'])
    assert.deepEqual([set.size, set.length, set.has('b'), set.has('c')], [2, 2, true, false])
  })

  it('gives back whether it removed a value', () => {
    const set = createSet('a', 'b', 'c')
    assert.equal(set.delete('b'), true)
    assert.equal(set.delete('b'), false)
    assert.deepEqual([...set], ['a', 'c'])
    set.clear()
    assert.equal(set.size, 0)
  })

  it('is an array to all that ask, and plain ones are derived of it', () => {
    const set = createSet('a', 'b')
    assert.ok(Array.isArray(set))
    assert.equal(Object.prototype.toString.call(set), '[object Array]')
    const derived = set.filter((value) => value === 'a')
    assert.equal(derived.constructor, Array)
    assert.deepEqual(derived, ['a'])
  })

  it('is compared and combined with sets where Node.js can do that', () => {
    const set = createSet('a', 'b')
    const { union } = Set.prototype
    assert.equal(typeof set.union, typeof union)
    if (union === undefined) return
    assert.deepEqual([...set.union(new Set(['c']))], ['a', 'b', 'c'])
    assert.equal(set.isSubsetOf(new Set(['a', 'b', 'c'])), true)
  })

  it('can be replaced and extended in its methods, as any class can', () => {
    for (const name of ['union', 'isSubsetOf']) {
      const own = Object.getOwnPropertyDescriptor(ArraySet.prototype, name)
      if (own === undefined) continue
      const { configurable, writable, enumerable } = own
      assert.deepEqual([configurable, writable, enumerable], [true, true, false])
    }
  })
})
