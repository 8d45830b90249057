'use strict'

const stamp = require('../native/stamp')
const { version } = require('../package.json')
const { loadAgain, otherBuild } = require('./native-failure')

/**
 * The addon. The generated loader finds the binary of this platform; what it finds is used only when
 * it is of the version of this package and has its stamp, since both sides share types and the layout of
 * memory. A clone can have a binary that was built from older sources of the same version.
 */
module.exports = checked(load())

function load() {
  try {
    return require('../native/binding.js')
  } catch (error) {
    return loadAgain(error)
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
  if (binding.STAMP !== stamp) throw otherBuild('it was built from other sources')
  return binding
}
