'use strict'

const { once } = require('node:events')
const { isIPv4 } = require('node:net')

const VERSION = 5
/** Ways to sign in. */
const NOBODY = 0
const PASSWORD = 2
/** Kinds of addresses, with their lengths. */
const IPV4 = 1
const NAME = 3
const LENGTHS = new Map([
  [IPV4, 4],
  [4, 16],
])

/** What the codes of a refusal mean (RFC 1928, 6). */
const REFUSALS = [
  undefined,
  'it has failed',
  'its rules do not allow it',
  'it cannot reach the network',
  'it cannot reach the host',
  'the host refused the connection',
  'the host did not answer in time',
  'it knows no such command',
  'it knows no such kind of address',
]

/** Why a proxy did not connect, as the end of a sentence about it. */
class SocksError extends Error {}

/**
 * Asks a SOCKS5 proxy for a connection (RFC 1928 and 1929). The proxy resolves the name.
 *
 * @param {stream.Duplex} socket The connection to the proxy; after that it leads on
 * @param {URL} proxy With user and password where it wants them
 * @param {String} host
 * @param {Number} port
 * @throws {SocksError} when it refuses
 */
async function askSocks(socket, proxy, host, port) {
  const [user, password] = [proxy.username, proxy.password].map((text) =>
    Buffer.from(decodeURIComponent(text)),
  )
  const ways = user.length > 0 ? [NOBODY, PASSWORD] : [NOBODY]
  socket.write(Buffer.from([VERSION, ways.length, ...ways]))
  const [version, way] = await take(socket, 2)
  if (version !== VERSION) throw new SocksError('does not speak SOCKS5')
  if (way === PASSWORD && user.length > 0) {
    socket.write(Buffer.from([1, user.length, ...user, password.length, ...password]))
    const [, refused] = await take(socket, 2)
    if (refused) throw new SocksError('refuses the user and the password')
  } else if (way !== NOBODY) {
    throw new SocksError('wants to be signed in at in another way')
  }

  const name = Buffer.from(host)
  const address = isIPv4(host)
    ? [IPV4, ...host.split('.').map(Number)]
    : [NAME, name.length, ...name]
  socket.write(Buffer.from([VERSION, 1, 0, ...address, port >> 8, port & 0xff]))
  const [, code, , kind] = await take(socket, 4)
  if (code !== 0) {
    throw new SocksError(`refuses the connection: ${REFUSALS[code] ?? `code ${code}`}`)
  }
  const length = LENGTHS.get(kind) ?? (await take(socket, 1))[0]
  await take(socket, length + 2)
}

/**
 * @param {stream.Duplex} socket
 * @param {Number} length
 * @return {Promise<Buffer>} So many bytes, and not one more
 */
async function take(socket, length) {
  for (;;) {
    const bytes = socket.read(length)
    if (bytes !== null && bytes.length === length) return bytes
    if (bytes !== null || socket.readableEnded || socket.destroyed) {
      throw new SocksError('ends the connection')
    }
    const end = new AbortController()
    try {
      await Promise.race(
        ['readable', 'end', 'close'].map((name) => once(socket, name, { signal: end.signal })),
      )
    } finally {
      end.abort()
    }
  }
}

module.exports = { SocksError, askSocks }
