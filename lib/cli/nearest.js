'use strict'

/**
 * How many letters have to be changed, added, left out or swapped with their neighbour.
 *
 * @param {String} a
 * @param {String} b
 * @return {Number}
 */
function distance(a, b) {
  let [before, last] = [[], Array.from({ length: b.length + 1 }, (_, i) => i)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      row[j] = Math.min(row[j - 1] + 1, last[j] + 1, last[j - 1] + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        row[j] = Math.min(row[j], before[j - 2] + 1)
      }
    }
    ;[before, last] = [last, row]
  }
  return last[b.length]
}

/**
 * The name that was probably meant.
 *
 * @param {String} name What was typed
 * @param {String[]} names Those that there are
 * @return {(String|undefined)} `undefined` where none is near
 */
function nearest(name, names) {
  const far = Math.max(1, Math.floor(name.length / 3))
  const [best] = names
    .map((candidate) => ({ candidate, away: distance(name, candidate) }))
    .filter(({ away }) => away <= far)
    .sort((a, b) => a.away - b.away)
  if (best !== undefined) return best.candidate
  const starting = names.filter((candidate) => name.length > 1 && candidate.startsWith(name))
  return starting.length === 1 ? starting[0] : undefined
}

module.exports = { nearest }
