'use strict'

const { invalidOption } = require('../errors')

/** The longest a timer of Node can wait, in milliseconds. */
const MAX_DELAY = 2 ** 31 - 1

/** What the native side counts with 32 bits. */
const MAX_COUNT = 2 ** 32 - 1

/**
 * @param {Object} options
 * @param {String} name The option that must be of a type
 * @param {String} type As `typeof` says it
 */
function checkType(options, name, type) {
  if (typeof options[name] !== type) throw invalidOption(name, `must be a ${type}`)
}

/**
 * @param {Object} options
 * @param {String} name The option that must be a string with something in it
 */
function checkText(options, name) {
  if (typeof options[name] !== 'string' || options[name] === '') {
    throw invalidOption(name, 'must be a non-empty string')
  }
}

/**
 * @param {Object} options
 * @param {String} name The option that must be a function, `null` or absent
 */
function checkFunction(options, name) {
  const value = options[name]
  if (value !== null && value !== undefined && typeof value !== 'function') {
    throw invalidOption(name, 'must be a function')
  }
}

/**
 * @param {Object} options
 * @param {String} name The option that must be milliseconds
 * @param {Object} [bounds]
 * @param {Boolean} [bounds.zero=false] Whether zero (for "off") will do
 */
function checkDuration(options, name, { zero = false } = {}) {
  const value = options[name]
  const least = zero ? 0 : 1
  if (typeof value !== 'number' || !(value >= least && value <= MAX_DELAY)) {
    throw invalidOption(name, `must be a number of milliseconds from ${least} to ${MAX_DELAY}`)
  }
}

/**
 * @param {Object} options
 * @param {String} name The option that must be a count
 */
function checkCount(options, name) {
  if (!Number.isSafeInteger(options[name]) || options[name] < 0) {
    throw invalidOption(name, 'must be a non-negative integer')
  }
}

/**
 * @param {Object} options
 * @param {String} name The option
 * @throws {TypeError} when it is no number of things that the native side can count
 */
function checkBound(options, name) {
  const value = options[name]
  if (!Number.isInteger(value) || value < 1 || value > MAX_COUNT) {
    throw invalidOption(name, `must be an integer from 1 to ${MAX_COUNT}`)
  }
}

/**
 * @param {Object} options
 * @throws {TypeError} when `signal` is no `AbortSignal`
 */
function checkSignal({ signal }) {
  if (signal === undefined || signal === null) return
  if (typeof signal !== 'object' || !('aborted' in signal) || !signal.addEventListener) {
    throw invalidOption('signal', 'must be an AbortSignal')
  }
}

/**
 * Leaves out what is `undefined`, so that it cannot hide a default.
 *
 * @param {(Object|null|undefined)} options
 * @return {Object}
 */
function definedOnly(options) {
  const entries = Object.entries(options ?? {})
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined))
}

module.exports = {
  MAX_DELAY,
  checkBound,
  checkCount,
  checkDuration,
  checkFunction,
  checkSignal,
  checkText,
  checkType,
  definedOnly,
}
