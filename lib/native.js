'use strict'

/** The addon. The generated loader finds the binary of this platform. */
module.exports = require('../native/binding.js')
