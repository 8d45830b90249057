'use strict'

const { onAbort } = require('../aborts')
const { wanted } = require('../diagnostics')
const { fromNative } = require('../errors')
const native = require('../native')
const { emulatorSpec } = require('./options')
const { RelayEmulator, kClosed, kTell } = require('./relay-emulator')

const SIGNALS = ['SIGINT', 'SIGTERM']

/**
 * Starts a local relay.
 *
 * @param {Object} [options] Configuration options
 * @param {String} [options.host='127.0.0.1'] The address to listen on
 * @param {Number} [options.port=0] The port to listen on; 0 takes a free one
 * @param {(Boolean|Object)} [options.tls=false] Whether to speak TLS: `true` makes a certificate
 * @param {(String|Buffer)} [options.tls.cert] The certificate with its chain, as PEM
 * @param {(String|Buffer)} [options.tls.key] Its private key, as PEM
 * @param {String} [options.tls.folder] A folder in which the authority of certificates is kept that are
 *     made, so that trust in it lasts
 * @param {Number} [options.tlsPort] The port for TLS beside plain connections at `port`; 0 takes a free
 *     one. Without it, `port` speaks TLS if `tls` says so
 * @param {Boolean} [options.acceptJwt=false] Whether any JSON Web Token is taken that is for Azure Relay
 *     and has not ended
 * @param {Boolean} [options.remoteAdmin=false] Whether other machines may use page and administration
 * @param {Boolean} [options.ui=true] Whether there is a page for browsers at `/`
 * @param {Array<(String|Object)>} [options.hybridConnections=['hyco']] The hybrid connections: paths,
 *     or objects `{ path, requiresClientAuthorization = true, rules = [] }`
 * @param {Object[]} [options.rules] The rules of the namespace:
 *     `{ keyName, key, secondaryKey, rights = ['Listen', 'Send', 'Manage'] }`. Without rules there is
 *     `RootManageSharedAccessKey`; a rule without a key gets a new one
 * @param {String[]} [options.hosts=[]] Further host names that tokens may be signed for
 * @param {String} [options.publicUrl] Scheme, host and port in the addresses that listeners dial;
 *     by default those by which they came
 * @param {Number} [options.maxListeners=25] How many listeners a hybrid connection may have
 * @param {Number} [options.maxConnections=16384] How many connections may be open
 * @param {Number} [options.maxFrame=32768] The longest frame that is passed on whole; longer ones are
 *     cut into fragments, as Azure does; 0 cuts none
 * @param {Number} [options.clockSkewSeconds=0] How long after its end a token opens a handshake
 * @param {Number} [options.handshakeTimeout=10000] Milliseconds for TLS, and for a request's head
 * @param {Number} [options.acceptTimeout=30000] How long a sender waits for a listener
 * @param {Number} [options.renewalGrace=120000] How long a control channel may outlive its token
 * @param {Number} [options.channelLifetime=86400000] How long a control channel lives, even with a good
 *     token: Azure ends each about once a day; 0 ends none
 * @param {Number} [options.keepAliveInterval=210000] The pause between two Pongs on a control
 *     channel; 0 sends none
 * @param {Number} [options.closeTimeout=60000] How long the second close frame may take
 * @param {Number} [options.sendTimeout=60000] How long a client may take nothing of what it is sent
 * @param {AbortSignal} [options.signal] Closes the relay
 * @return {Promise<RelayEmulator>} Rejects with a TypeError for an option of the wrong kind
 */
async function startRelayEmulator(options) {
  const { signal, ...spec } = emulatorSpec(options)
  if (signal?.aborted) throw signal.reason
  const relay = await start(spec)
  if (signal !== undefined) closeOnAbort(relay, signal)
  return relay
}

/**
 * @param {Object} spec
 * @return {Promise<RelayEmulator>}
 */
function start(spec) {
  return new Promise((resolve, reject) => {
    let relay
    let ended
    const closed = new Promise((resolve) => {
      ended = resolve
    })
    const onLife = (json) => {
      const event = JSON.parse(json)
      if (event.type === 'started') {
        relay = new RelayEmulator(emulator, event, closed)
        resolve(relay)
        return
      }
      emulator.release()
      ended()
      if (event.type === 'failed') reject(fromNative(event.error))
    }
    const emulator = new native.RelayEmulator(spec, onLife, (json) => relay?.[kTell](json))
    emulator.setLogging(wanted('log'))
  })
}

/**
 * @param {RelayEmulator} relay
 * @param {AbortSignal} signal
 */
function closeOnAbort(relay, signal) {
  const close = () => relay.close()
  if (signal.aborted) close()
  else {
    relay[kClosed].then(onAbort(signal, close))
  }
}

/**
 * Runs the relay's program as `hyco-relay` does, with its arguments, output, signals and exit codes.
 *
 * @param {String[]} argv The arguments behind the program's name
 * @return {Promise<Number>} The exit code
 */
async function runEmulatorCommand(argv) {
  // The program hears the signals itself. Without these, Node would end the process at once.
  const heard = () => {}
  for (const signal of SIGNALS) process.on(signal, heard)
  try {
    return await new Promise((resolve) => {
      native.runEmulatorCommand(['hyco-rs emulator', ...argv], resolve)
    })
  } finally {
    for (const signal of SIGNALS) process.off(signal, heard)
  }
}

module.exports = { RelayEmulator, runEmulatorCommand, startRelayEmulator }
