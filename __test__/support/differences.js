'use strict'

/**
 * The behaviours of `ws` that a relayed socket cannot have, each with its reason. They are described
 * in docs/differences-from-ws.md, which a test compares with this list.
 */
const differences = [
  {
    sentence: 'lets a violation without an error listener reach uncaughtException',
    pairs: ['RelayedListener'],
    reason:
      "accepted sockets come with an 'error' listener, as in hyco-ws: a sender's invalid frame must not end a listener's program that has none",
  },
]

/**
 * @param {String} pair The class of the pair
 * @param {String} sentence The row
 * @return {String|Boolean} Why the row does not hold for the pair, or false when it does
 */
function reasonFor(pair, sentence) {
  const found = differences.find(
    (difference) => difference.sentence === sentence && difference.pairs.includes(pair),
  )
  return found ? found.reason : false
}

module.exports = { differences, reasonFor }
