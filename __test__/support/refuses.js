'use strict'

const assert = require('node:assert/strict')

/** Asserts that a call throws a TypeError that names the option. */
function refuses(call, option) {
  assert.throws(call, (error) => {
    assert.ok(error instanceof TypeError, `${error}`)
    assert.match(error.message, new RegExp(`'${option.replace('.', '\\.')}'`))
    assert.match(error.code, /^HYCO_ERR_INVALID_(OPTION|ADDRESS)$/)
    return true
  })
}

module.exports = refuses
