'use strict'

/** Bytes of which no two stretches are alike. @param {Number} length @return {Buffer} */
function pattern(length) {
  const bytes = Buffer.allocUnsafe(length)
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >> 8)) & 0xff
  return bytes
}

module.exports = pattern
