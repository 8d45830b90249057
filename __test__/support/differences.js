'use strict'

const BOTH = ['RelayedSender', 'RelayedListener']
const SENDER = ['RelayedSender']
const LISTENER = ['RelayedListener']

/**
 * What is different from `ws` for relayed sockets and servers, and cannot be the same: the heading in
 * docs/differences-from-ws.md, which says more; the pairs it is about; the rows that do not hold for
 * them; the reason in short.
 */
const differences = [
  {
    heading: 'No compression',
    pairs: BOTH,
    rows: ['agrees on permessage-deflate where both ends want it'],
    reason: 'the relay carries no extensions',
  },
  {
    heading: 'No socket of Node below',
    pairs: BOTH,
    rows: ['has a socket of Node in _socket', 'masks with generateMask'],
    reason: 'the connection is on a thread of its own, in Rust',
  },
  {
    heading: 'Redirects and the request of the handshake',
    pairs: SENDER,
    rows: ['follows a redirect with followRedirects'],
    reason: 'there is no request of Node, and a relay does not redirect',
  },
  {
    heading: 'Errors of a connection that does not open',
    pairs: SENDER,
    rows: ['reports a refused connection with the code of Node'],
    reason: 'they say more: code, status, reason and tracking id',
  },
  {
    heading: 'Pings reach the relay only',
    pairs: LISTENER,
    rows: ['sees the pings of its peer'],
    reason: 'the relay answers pings itself',
  },
  { heading: 'Boundaries of fragments', pairs: LISTENER, rows: [], reason: 'the relay moves them' },
  {
    heading: 'An accepted socket is a client on the wire',
    pairs: LISTENER,
    rows: [
      'emits no open when it was accepted',
      'has no url when it was accepted',
      'sends unmasked frames when it was accepted',
    ],
    reason: 'a listener dials the relay for every sender',
  },
  {
    heading: 'The answer to a sender',
    pairs: LISTENER,
    rows: [
      'answers a refused client with the message as the body',
      'sends the headers that a headers listener adds',
      'does not ask handleProtocols where nothing was offered',
    ],
    reason: 'the relay carries a status, a reason and a subprotocol, and no more',
  },
  {
    heading: 'Closing a server',
    pairs: LISTENER,
    rows: [
      'leaves its clients alone when it is closed',
      'gives an error to the callback of close() once it is closed',
    ],
    reason: 'hyco-ws closes its clients, and programs count on it',
  },
  {
    heading: 'The clients of a server',
    pairs: LISTENER,
    rows: ['has its clients in a Set', 'has no clients property with clientTracking: false'],
    reason: 'it is the array of hyco-ws too',
  },
  {
    heading: 'No HTTP server',
    pairs: LISTENER,
    rows: ['takes upgrade requests of an HTTP server by handleUpgrade'],
    reason: 'a relayed server has no port',
  },
  {
    heading: 'Exceptions of listeners',
    pairs: BOTH,
    rows: [],
    reason: 'a relayed socket goes on where one of ws is stuck',
  },
  {
    heading: 'Errors that nobody listens for',
    pairs: LISTENER,
    rows: ['lets a violation without an error listener reach uncaughtException'],
    reason: 'a sender must not be able to end the program of a listener',
  },
  { heading: 'Copies', pairs: BOTH, rows: [], reason: 'bytes are copied when they are sent' },
]

/**
 * @param {String} pair The class of the pair
 * @param {String} sentence The row
 * @return {String|Boolean} Why the row does not hold for the pair, or false when it does
 */
function reasonFor(pair, sentence) {
  const found = differences.find(
    ({ pairs, rows }) => pairs.includes(pair) && rows.includes(sentence),
  )
  return found ? found.reason : false
}

module.exports = { differences, reasonFor }
