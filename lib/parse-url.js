'use strict'

/**
 * Parses a URL. Node.js 18.0 has no `URL.canParse`.
 *
 * @param {String} text
 * @return {(URL|null)} `null` where it is none
 */
function parseUrl(text) {
  try {
    return new URL(text)
  } catch {
    return null
  }
}

module.exports = { parseUrl }
