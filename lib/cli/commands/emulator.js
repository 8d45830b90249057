'use strict'

const { Failure, EXIT, usageError } = require('../failure')
const { interruption } = require('../terminal')

/** The port unless told otherwise; a connection string with UseDevelopmentEmulator means it too. */
const PORT = 9400

/** The key unless told otherwise. It is no secret: everybody's local relay has it. */
const KEY = 'aHljby1ycy1sb2NhbC1yZWxheS1pcy1ub3Qtc2VjcmV0'

const KEY_NAME = 'RootManageSharedAccessKey'

/**
 * Runs the local relay.
 *
 * @param {Object} values
 * @param {String[]} positionals
 * @param {Terminal} terminal
 * @return {Promise<Number>} The exit code
 */
async function emulator(values, positionals, terminal) {
  const signal = interruption()
  const hybridConnections = (values.hybridConnection ?? ['hyco']).map(readHybridConnection)
  const relay = await start({
    host: values.host ?? '127.0.0.1',
    port: values.port ?? PORT,
    tls: values.tls ?? false,
    hybridConnections,
    rules: [{ keyName: KEY_NAME, key: values.key ?? KEY }],
  })
  try {
    tell(relay, hybridConnections, terminal)
    await new Promise((resolve) => {
      signal.addEventListener('abort', resolve)
      if (signal.aborted) resolve()
    })
  } finally {
    await relay.close()
  }
  return 0
}

/**
 * @param {Object} options Those of `startRelayEmulator`
 * @return {Promise<RelayEmulator>}
 */
async function start(options) {
  try {
    return await require('../../../index').startRelayEmulator(options)
  } catch (error) {
    if (error.code !== 'HYCO_ERR_EMULATOR_BIND') throw error
    const message = `The local relay cannot listen on ${options.host}:${options.port}: ${error.message}`
    const hint = 'Is it running already? --port PORT takes another port; 0 takes a free one.'
    throw new Failure(message, { exit: EXIT.failed, hint, cause: error })
  }
}

/**
 * Says what to paste.
 *
 * @param {RelayEmulator} relay
 * @param {Object[]} hybridConnections
 * @param {Terminal} terminal
 */
function tell(relay, hybridConnections, terminal) {
  const paths = hybridConnections.map(({ path }) => path)
  const strings = paths.map((path) => `${relay.connectionString};EntityPath=${path}`)
  if (terminal.json) {
    const { address, certificate, namespace } = relay
    terminal.object({
      event: 'listening',
      address,
      namespace,
      connectionStrings: strings,
      certificate,
    })
    return
  }
  terminal.status(`The local relay listens at ${relay.namespace} (Ctrl+C ends it). For a .env:`)
  for (const string of strings) terminal.line(`HYCO_CONNECTION_STRING=${string}`)
  if (relay.certificate !== undefined) {
    terminal.status('Clients have to trust this certificate (--ca FILE, NODE_EXTRA_CA_CERTS):')
    terminal.line(relay.certificate.trimEnd())
  }
  terminal.status("In other terminals: 'hyco-rs listen --echo' and 'hyco-rs connect'.")
}

/**
 * @param {String} text `NAME` or `NAME:anonymous`
 * @return {Object} As `startRelayEmulator` takes it
 */
function readHybridConnection(text) {
  const [, path, anonymous] = /^(.*?)(:anonymous)?$/.exec(text)
  if (path === '' || path.includes(':')) {
    throw usageError(
      `--hybrid-connection cannot be '${text}'.`,
      'Write NAME, or NAME:anonymous where senders need no token.',
    )
  }
  return { path, requiresClientAuthorization: anonymous === undefined }
}

module.exports = emulator
