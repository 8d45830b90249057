'use strict'

/** Names that were warned of: a program that connects a thousand times is told once. */
const warned = new Set()

/**
 * Warns of options that have no effect, each by its name. A mistyped option must not stay unseen;
 * an error would keep programs from running that pass one object to several libraries.
 *
 * @param {String} taker Who takes the options
 * @param {Object} options What the user gave
 * @param {Set<String>} known The names that have an effect, or are documented to have none
 */
function warnOfUnknown(taker, options, known) {
  for (const name of Object.keys(options)) {
    const key = `${taker} ${name}`
    if (known.has(name) || options[name] === undefined || warned.has(key)) continue
    warned.add(key)
    process.emitWarning(`the option '${name}' of ${taker} has no effect`, {
      code: 'HYCO_WARN_UNKNOWN_OPTION',
    })
  }
}

module.exports = { warnOfUnknown }
