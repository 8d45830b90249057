'use strict'

/**
 * Opens many sockets, some at a time.
 *
 * @param {object} peer whose sockets
 * @param {number} count how many
 * @param {string} url
 * @param {string} ca
 * @param {function(object)} opened called with each
 * @return {Promise<object[]>} all of them
 */
async function connectMany(peer, count, url, ca, opened) {
  const sockets = []
  let left = count
  const work = async () => {
    while (left-- > 0) {
      const socket = await peer.connect(url, ca)
      opened(socket)
      sockets.push(socket)
    }
  }
  await Promise.all(Array.from({ length: Math.min(count, 50) }, work))
  return sockets
}

module.exports = { connectMany }
