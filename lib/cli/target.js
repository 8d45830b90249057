'use strict'

const { readFileSync } = require('node:fs')

const { environment } = require('./environment')
const { usageError } = require('./failure')

/** How long a token lives that a command signs for itself, in seconds. */
const TOKEN_SECONDS = 3600

/**
 * A hybrid connection, or a whole namespace, and by what right to use it.
 */
class Target {
  /**
   * @param {Object} parts `namespace`, `path`, `keyName`, `key`, `token` and `from`
   * @param {Object} values The options of the command
   */
  constructor(parts, values) {
    /** Scheme, host and port, as the address helpers take them. */
    this.namespace = parts.namespace
    /** The hybrid connection. */
    this.path = parts.path
    this.keyName = parts.keyName
    this.key = parts.key
    this.token = parts.token
    /** Where this was found, for messages. */
    this.from = parts.from
    this.url = addressOf(parts)
    this.suffix = values.suffix ?? ''
    this.network = networkOptions(values, this.url)
    this.timeout = values.timeout ?? 60_000
  }

  /** The address to listen at. */
  get listenUri() {
    return require('../../index').createRelayListenUri(this.namespace, this.path)
  }

  /** The address to connect to, with the suffix. */
  get sendUri() {
    return require('../../index').createRelaySendUri(this.namespace, this.path + below(this.suffix))
  }

  /** The address without an action, with the suffix. */
  get baseUri() {
    const { createRelayBaseUri } = require('../../index')
    return new URL(createRelayBaseUri(this.namespace, this.path + below(this.suffix))).href
  }

  /** The address of HTTP requests, with the suffix. */
  get httpUri() {
    const scheme = this.url.protocol === 'wss:' ? 'https:' : 'http:'
    return scheme + this.baseUri.slice(this.url.protocol.length).replace('/$hc/', '/')
  }

  /** How the hybrid connection is called in messages. */
  get name() {
    return `'${this.path}' of ${this.url.host}`
  }

  /** Whether there is something that proves a right. */
  get hasRight() {
    return this.token !== undefined || this.keyName !== undefined
  }

  /**
   * A token for this hybrid connection.
   *
   * @param {String} [uri] What it is for
   * @param {Number} [life] Seconds until it ends
   * @return {(String|null)} `null` where there is nothing to sign with
   */
  createToken(uri = this.url.href, life = TOKEN_SECONDS) {
    if (this.token !== undefined) return this.token
    if (this.keyName === undefined) return null
    return require('../../index').createRelayToken(uri, this.keyName, this.key, life)
  }
}

/**
 * Finds out where to connect.
 *
 * @param {Object} values The options of a command
 * @param {Object} [needs]
 * @param {Boolean} [needs.path=true] Whether a hybrid connection must be named
 * @param {Boolean} [needs.right=false] Whether there must be a key or a token
 * @return {Target}
 * @throws {Failure} that says what is missing, and how to give it
 */
function findTarget(values, { path = true, right = false } = {}) {
  const parts = findParts(values, environment(values.env))
  if (values.keyName !== undefined) parts.keyName = values.keyName
  if (values.key !== undefined) parts.key = values.key
  if (values.token !== undefined) parts.token = values.token
  if ((parts.keyName === undefined) !== (parts.key === undefined)) {
    const [there, missing] = parts.key ? ['key', 'name'] : ['name', 'key']
    throw usageError(
      `There is a ${there} of a rule and no ${missing}.`,
      'Give --key-name and --key together.',
    )
  }
  if (path && parts.path === undefined) {
    throw usageError(
      'It is not known which hybrid connection you mean.',
      'Give --path NAME, or a connection string with EntityPath=NAME.',
    )
  }
  if (right && parts.token === undefined && parts.keyName === undefined) {
    throw usageError(
      'There is no key and no token.',
      'Give --key-name and --key, or --token, or a connection string that has a key.',
    )
  }
  return new Target(parts, values)
}

/**
 * @param {Object} parts `namespace`, `path`, and `from`, where they were found
 * @return {URL} The address of the hybrid connection
 */
function addressOf({ from, namespace, path = '' }) {
  try {
    return new URL(require('../../index').createRelayBaseUri(namespace, path))
  } catch {
    throw usageError(
      `The ${from.replace(/^--/, 'option --')} cannot be used: '${namespace}' is no address of a relay.`,
      'Give the host of a namespace, such as contoso.servicebus.windows.net, or ws://127.0.0.1:9400 for a local relay.',
    )
  }
}

/**
 * @param {Object} values
 * @param {Object} variables As `environment` gives them
 * @return {Object} `namespace`, `path`, and what proves a right
 */
function findParts(values, variables) {
  const { connectionString, namespace, path } = values
  if (connectionString !== undefined && namespace !== undefined) {
    throw usageError('Give either --connection-string or --namespace.')
  }
  if (connectionString !== undefined) {
    return fromString(connectionString, path, '--connection-string')
  }
  if (namespace !== undefined) return { namespace, path, from: '--namespace' }
  const string = variables.HYCO_CONNECTION_STRING
  if (string !== undefined) {
    return fromString(string.value, path, `HYCO_CONNECTION_STRING of ${string.from}`)
  }
  const host = variables.SB_HC_NAMESPACE
  if (host !== undefined) {
    return {
      namespace: host.value,
      path: path ?? variables.SB_HC_PATH?.value,
      keyName: variables.SB_HC_KEYRULE?.value,
      key: variables.SB_HC_KEY?.value,
      from: `SB_HC_NAMESPACE of ${host.from}`,
    }
  }
  throw usageError(
    'It is not known where to connect.',
    "Give --connection-string TEXT, or set HYCO_CONNECTION_STRING, here or in a file .env. 'hyco-rs emulator' starts a local relay and prints one.",
  )
}

/**
 * @param {String} text A connection string
 * @param {(String|undefined)} path The hybrid connection, given beside it
 * @param {String} from Where the string was found
 * @return {Object}
 */
function fromString(text, path, from) {
  const { parseConnectionString } = require('../native')
  const [, entity] = /(?:^|;)\s*EntityPath\s*=([^;]*)/i.exec(text) ?? []
  if (entity !== undefined && path !== undefined && path !== entity) {
    throw usageError(
      `The connection string is for '${entity}' (its EntityPath), and --path says '${path}'.`,
      'Leave out --path, or take EntityPath out of the string.',
    )
  }
  const beside = entity === undefined ? (path ?? '-') : undefined
  let parts
  try {
    parts = parseConnectionString(text, beside)
  } catch (cause) {
    throw usageError(
      `The ${from.replace(/^--/, 'option --')} cannot be used: ${cause.message}.`,
      'Copy it from the portal: Shared access policies, a policy, its connection string.',
    )
  }
  const { key, keyName, token } = parts
  const url = new URL(parts.address)
  const namespace = `${url.protocol}//${url.host}`
  return { namespace, path: entity ?? path, keyName, key, token, from }
}

/**
 * Options of servers and sockets that say how the relay is reached.
 *
 * @param {Object} values
 * @param {URL} url Where the relay is
 * @return {Object}
 */
function networkOptions({ ca, insecure, proxy }, url) {
  const tls = {}
  if (ca !== undefined) {
    try {
      tls.ca = readFileSync(ca, 'utf8')
    } catch (cause) {
      throw usageError(`The file of --ca cannot be read: ${cause.message}`)
    }
  }
  if (insecure) tls.rejectUnauthorized = false
  const options = url.protocol === 'wss:' ? { tls } : {}
  if (proxy !== undefined) options.proxy = proxy.includes('://') ? proxy : `http://${proxy}`
  return options
}

/**
 * @param {String} suffix As it was typed
 * @return {String} As it follows the hybrid connection
 */
function below(suffix) {
  return suffix === '' || /^[/?]/.test(suffix) ? suffix : `/${suffix}`
}

module.exports = { findTarget }
