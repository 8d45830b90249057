'use strict'

/**
 * An `Array` with the methods of a `Set`: code that was written for hyco-ws gets the one, code that was
 * written for ws 8 the other. Where both have a method of the same name (`forEach`, `keys`, `entries`),
 * it is that of the array.
 *
 * @extends Array
 */
class ArraySet extends Array {
  /** Derived arrays (`filter`, `map`, `slice`) are plain ones. */
  static get [Symbol.species]() {
    return Array
  }

  /** What it is in `Object.prototype.toString`, as for every array. */
  get [Symbol.toStringTag]() {
    return 'Array'
  }

  /**
   * How many there are, as in a `Set`.
   *
   * @type {Number}
   */
  get size() {
    return this.length
  }

  /**
   * @param {*} value
   * @return {Boolean} whether it is in
   */
  has(value) {
    return this.includes(value)
  }

  /**
   * Adds a value; one that is in already stays where it is.
   *
   * @param {*} value
   * @return {ArraySet} this
   */
  add(value) {
    if (!this.has(value)) this.push(value)
    return this
  }

  /**
   * Removes a value.
   *
   * @param {*} value
   * @return {Boolean} whether it was in
   */
  delete(value) {
    const position = this.indexOf(value)
    if (position < 0) return false
    this.splice(position, 1)
    return true
  }

  /** Removes all values. */
  clear() {
    this.length = 0
  }
}

// Node.js 22 and later: the methods that compare or combine two sets.
for (const name of [
  'difference',
  'intersection',
  'isDisjointFrom',
  'isSubsetOf',
  'isSupersetOf',
  'symmetricDifference',
  'union',
]) {
  if (!(name in Set.prototype)) continue
  Object.defineProperty(ArraySet.prototype, name, {
    configurable: true,
    value(other) {
      return new Set(this)[name](other)
    },
    writable: true,
  })
}

module.exports = ArraySet
