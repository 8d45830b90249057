'use strict'

const { randomBytes } = require('node:crypto')
const { once } = require('node:events')
const { performance } = require('node:perf_hooks')

const hyco = require('../../..')
const { EXIT, Failure } = require('../failure')

/** How long the whole may take, in milliseconds: it does not leave this machine. */
const DEADLINE = 30_000

/** What is sent, and how it is called. */
const MESSAGES = [
  ['hello through the relay', '"hello through the relay"'],
  [randomBytes(16), '16 bytes'],
  [randomBytes(1024 * 1024), '1 MiB'],
]

/**
 * Relays some messages on this machine: a local relay, a listener and a sender.
 *
 * @param {Object} values
 * @param {String[]} positionals
 * @param {Terminal} terminal
 * @return {Promise<Number>} The exit code
 */
async function demo(values, positionals, terminal) {
  const signal = AbortSignal.timeout(DEADLINE)
  const say = (who, what, event) => {
    if (terminal.json) terminal.object({ who, ...event })
    else terminal.line(`${who.padEnd(9)} ${what}`)
  }

  const relay = await hyco.startRelayEmulator({ hybridConnections: ['demo'], ui: false })
  try {
    say('relay', `listens on ${relay.namespace}`, { event: 'online', address: relay.namespace })
    const server = await listen(relay, say, signal)
    const sender = await connect(relay, say, signal)
    for (const message of MESSAGES) await exchange(sender, message, say, signal)
    const closed = once(sender, 'close', { signal })
    await server.close()
    const [code] = await closed
    say('sender', `saw the listener close with ${code}`, { event: 'close', code })
  } finally {
    await relay.close()
  }
  return EXIT.ok.code
}

async function listen(relay, say, signal) {
  const server = hyco.createRelayedServer(
    { connectionString: relay.connectionString, path: 'demo', proxy: false, signal },
    (socket, request) => {
      const { remoteAddress } = request.socket
      say('listener', `accepted ${request.url} from ${remoteAddress}`, {
        event: 'connection',
        url: request.url,
        remoteAddress,
      })
      socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
    },
  )
  await once(server, 'listening', { signal })
  say('listener', `is online at ${server.listenUri}`, { event: 'online', uri: server.listenUri })
  return server
}

async function connect(relay, say, signal) {
  const { connectionString } = relay
  const sender = hyco.relayedConnect(null, {
    connectionString,
    path: 'demo',
    proxy: false,
    signal,
  })
  await once(sender, 'open', { signal })
  say('sender', 'is connected through the relay', { event: 'open' })
  return sender
}

/** Sends a message and sees that the same one comes back. */
async function exchange(sender, [message, name], say, signal) {
  const start = performance.now()
  sender.send(message)
  const [data] = await once(sender, 'message', { signal })
  if (!Buffer.from(message).equals(data)) {
    throw new Failure(`${name} came back as something else`)
  }
  const duration = performance.now() - start
  say('sender', `got back ${name} after ${duration.toFixed(1)} ms`, {
    event: 'message',
    bytes: data.length,
    duration,
  })
}

module.exports = demo
