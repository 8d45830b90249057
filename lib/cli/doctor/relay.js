'use strict'

const { randomUUID } = require('node:crypto')
const { once } = require('node:events')

const { Failure, exitOf } = require('../failure')
const { explain } = require('../hints')

/** A header by which the doctor's own sender is told from others. */
const NONCE_HEADER = 'hyco-rs-doctor'

/**
 * Asks the relay itself: rights, hybrid connection, listeners, and a message there and back.
 *
 * @param {Checkup} checkup
 * @param {Target} target
 * @param {String} roundTrip 'auto', 'always' or 'never'
 */
async function checkRelay(checkup, target, roundTrip) {
  const found = await probe(target)
  if (!tellProbe(checkup, target, found)) return
  if (!target.hasRight) {
    checkup.skip('listen', 'there is no key and no token to listen with')
    return
  }
  if (roundTrip === 'never') {
    checkup.skip('listen', "not asked for ('--round-trip never')")
    return
  }
  if (roundTrip === 'auto' && found.listeners) {
    const why = "others listen, and would lose senders to this one; '--round-trip always' tries it"
    checkup.skip('listen', why)
    return
  }
  await checkListening(checkup, target, found)
}

/**
 * Connects as a sender that wants a listener which does not exist. The refusal tells what there is,
 * and no listener is disturbed.
 *
 * @param {Target} target
 * @return {Promise<Object>} `maySend`, `listeners` (`undefined` if nobody knows), `fatal` and `error`
 */
async function probe(target) {
  let socket
  try {
    socket = connect(target, { 'Microsoft-Relay-AllowedListeners': randomUUID() })
    await once(socket, 'open')
    socket.close(1000)
    return { maySend: true, listeners: true }
  } catch (error) {
    switch (error.code) {
      case 'HYCO_ERR_NO_LISTENER':
        return { maySend: true, listeners: /None of the connected/i.test(error.reason ?? '') }
      case 'HYCO_ERR_REJECTED':
        // By a listener, or by something on the way.
        return error.refusedBy === 'listener'
          ? { maySend: true, listeners: true }
          : { fatal: true, error }
      case 'HYCO_ERR_UNAUTHORIZED':
        return { maySend: false, error }
      default:
        return { fatal: true, error }
    }
  } finally {
    socket?.terminate()
  }
}

/**
 * @param {Target} target
 * @param {Object} headers
 * @return {RelayedSocket}
 */
function connect(target, headers) {
  return require('../../../index').relayedConnect(target.sendUri, target.createToken(), {
    ...target.network,
    handshakeTimeout: target.timeout,
    headers,
  })
}

/**
 * @param {Checkup} checkup
 * @param {Target} target
 * @param {Object} found What `probe` gave
 * @return {Boolean} Whether it is worth while to go on
 */
function tellProbe(checkup, target, { error, fatal, listeners, maySend }) {
  if (fatal) {
    const name = error.code === 'HYCO_ERR_ENDPOINT_NOT_FOUND' ? 'entity' : 'relay'
    checkup.fail(name, explain(error, target))
    return false
  }
  if (!maySend) {
    // Only a token that is right in all else may still listen.
    const right = /action/i.test(error.reason ?? '')
    if (right) checkup.warn('send', 'the token may not send', 'A sender needs the right Send.')
    else checkup.fail('token in use', explainRefusal(error, target))
    return right
  }
  checkup.pass('entity', `the hybrid connection '${target.path}' exists`)
  checkup.pass('send', target.hasRight ? 'the token may send' : 'senders need no token')
  if (listeners) checkup.pass('listeners', 'at least one is connected')
  else checkup.warn('listeners', 'none is connected', 'Senders get 404 until one listens.')
  return true
}

/**
 * Listens for a moment, as nobody but the doctor's own sender sees it.
 *
 * @param {Checkup} checkup
 * @param {Target} target
 * @param {Object} found What `probe` gave
 */
async function checkListening(checkup, target, { maySend }) {
  const { createRelayedServer } = require('../../../index')
  const { key, keyName, token } = target
  const [id, nonce] = [randomUUID(), randomUUID()]
  let server
  const listening = await checkup.run('listen', async () => {
    server = createRelayedServer(
      {
        server: target.listenUri,
        ...(token === undefined ? { keyName, key } : { token }),
        id,
        openTimeout: target.timeout,
        reconnect: false,
        verifyClient: ({ req }, decide) =>
          decide(req.headers[NONCE_HEADER] === nonce, 503, 'Try again'),
        ...target.network,
      },
      (socket) => socket.on('message', (data) => socket.send(data)),
    )
    await online(server).catch((error) => {
      throw explainRefusal(error, target)
    })
    return 'the token may listen'
  })
  try {
    if (!listening) return
    if (maySend) await checkup.run('round trip', () => roundTrip(server, target, id, nonce))
    else checkup.skip('round trip', 'the token may not send')
  } finally {
    if (server !== undefined) await new Promise((resolve) => server.close(resolve))
  }
}

/**
 * @param {RelayedServer} server
 * @return {Promise<void>} When it is online
 */
function online(server) {
  return new Promise((resolve, reject) => {
    server.on('error', () => {})
    server.once('online', resolve)
    server.once('offline', ({ error }) => reject(error))
  })
}

/**
 * @param {RelayedServer} server The doctor's own
 * @param {Target} target
 * @param {String} id The id of that server
 * @param {String} nonce What its sender is known by
 * @return {Promise<String>} How long it took
 */
async function roundTrip(server, target, id, nonce) {
  const started = performance.now()
  const lost = new Promise((_, reject) => {
    server.once('acceptError', (error) => {
      const hint =
        'The listener dials another host for each sender: the firewall has to let it reach *.servicebus.windows.net, and publicUrl of a local relay has to lead to it.'
      reject(
        new Failure(`The listener cannot meet a sender: ${error.message}`, {
          exit: exitOf(error),
          hint,
        }),
      )
    })
  })
  // Where the round trip fails first, nobody waits for it.
  lost.catch(() => {})
  const socket = connect(target, { 'Microsoft-Relay-AllowedListeners': id, [NONCE_HEADER]: nonce })
  try {
    await Promise.race([once(socket, 'open'), lost])
    const opened = performance.now()
    socket.send(nonce)
    const late = new Promise((_, reject) => {
      const fail = () => reject(new Failure('The message did not come back.'))
      const timer = setTimeout(fail, target.timeout)
      socket.once('close', () => clearTimeout(timer))
    })
    late.catch(() => {})
    const [data] = await Promise.race([once(socket, 'message'), late])
    if (String(data) !== nonce) throw new Failure('Another message came back than was sent.')
    const [open, message] = [opened - started, performance.now() - opened].map(Math.round)
    return `a sender was met after ${open} ms, and its message came back after ${message} ms`
  } catch (error) {
    throw error instanceof Failure ? error : explain(error, target)
  } finally {
    socket.terminate()
  }
}

/** What the relay's words about a token mean, and what to do. */
const REASONS = [
  [/Quota/i, 'End a listener: a hybrid connection takes 25 at a time.'],
  [/action: ?Listen/i, 'The rule lacks the right Listen. Add it, or use another rule.'],
  [/MissingToken|Required/i, 'The relay wants a token: give a rule and its key, or a token.'],
]

/**
 * Adds to a refusal what its words mean.
 *
 * @param {Error} error
 * @param {Target} target
 * @return {Error}
 */
function explainRefusal(error, target) {
  const known = REASONS.find(([words]) => words.test(error.reason ?? ''))
  explain(error, target)
  if (known !== undefined) error.hint = known[1]
  return error
}

module.exports = { checkRelay }
