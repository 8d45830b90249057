'use strict'

const { version } = require('../package.json')
const { loadFailure, otherBuild } = require('./native-failure')

/**
 * The addon. The generated loader finds the binary of this platform; what it finds is used only when
 * it is of the version of this package, since both sides share the layout of memory.
 */
module.exports = checked(load())

function load() {
  try {
    return require('../native/binding.js')
  } catch (error) {
    throw loadFailure(error)
  }
}

/**
 * The generated loader names every export of the build that it was generated with. One that the
 * binary does not have is there as a key without a value.
 */
function checked(binding) {
  const missing = Object.keys(binding).find((name) => binding[name] === undefined)
  if (binding.VERSION !== version) throw otherBuild(`its version is ${binding.VERSION ?? 'older'}`)
  if (missing !== undefined) throw otherBuild(`it has no '${missing}'`)
  return binding
}
