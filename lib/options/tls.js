'use strict'

const { X509Certificate, createPrivateKey } = require('node:crypto')
const { readFileSync } = require('node:fs')
const tls = require('node:tls')

const { invalidOption } = require('../errors')
const { warnOfUnknown } = require('./unknown')

/** The options that `relayedConnect` also takes beside `tls`, as ws does. */
const TLS_OPTIONS = ['ca', 'cert', 'key', 'passphrase', 'rejectUnauthorized', 'servername']

const KNOWN = new Set(TLS_OPTIONS)

/** How a certificate begins within a PEM file. */
const BEGIN = '-----BEGIN CERTIFICATE-----'

/** One certificate within a PEM file. */
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** What options became, for those that were used last; a program has one or two sets. */
const KEPT = 16

let roots = null
let defaultSpec = null

/** Options with what they became, the latest used last. */
const recent = []

/**
 * The certificate authorities that Node itself trusts, in PEM form. Read once: it takes milliseconds.
 *
 * @return {String[]}
 */
function defaultRoots() {
  roots ??= tls.getCACertificates?.('default') ?? [...tls.rootCertificates, ...extraRoots()]
  return roots
}

/**
 * What NODE_EXTRA_CA_CERTS names. Node warns about a file it cannot read, and goes on without.
 *
 * @return {String[]}
 */
function extraRoots() {
  const file = process.env.NODE_EXTRA_CA_CERTS
  if (!file) return []
  try {
    const texts = readFileSync(file, 'utf8').match(CERTIFICATE) ?? []
    for (const text of texts) certificates('NODE_EXTRA_CA_CERTS', text)
    return texts
  } catch {
    return []
  }
}

/**
 * Turns TLS options as `tls.connect` takes them into what the hub takes.
 *
 * @param {(Object|null)} [options]
 * @param {(String|Buffer|Array)} [options.ca] Trusted instead of Node's own roots (PEM)
 * @param {(String|Buffer)} [options.cert] The client's certificate chain (PEM)
 * @param {(String|Buffer)} [options.key] Its private key (PEM)
 * @param {String} [options.passphrase] Opens `key`
 * @param {Boolean} [options.rejectUnauthorized=true] Whether the relay must prove who it is
 * @param {String} [options.servername] The name it must prove, when not the address's
 * @return {Object}
 * @throws {TypeError}
 */
function tlsSpec(options) {
  if (options === undefined || options === null) {
    // One object for all, so that the hub prepares its certificates once.
    defaultSpec ??= tlsSpec({})
    return defaultSpec
  }
  if (typeof options !== 'object' || Array.isArray(options)) {
    throw invalidOption('tls', 'must be an object')
  }
  // Reading certificates takes longer than a whole connect does without.
  const environment = process.env.NODE_TLS_REJECT_UNAUTHORIZED
  const at = recent.findIndex((known) => known.environment === environment && known.is(options))
  const known = at === -1 ? new Known(options, environment) : recent.splice(at, 1)[0]
  // One that has no effect may be what a program relies on, such as `checkServerIdentity`.
  warnOfUnknown('tls', options, KNOWN)
  known.spec ??= readSpec(options)
  if (recent.length === KEPT) recent.shift()
  recent.push(known)
  return known.spec
}

/**
 * The same for a connection that may be a plain one. What was given is looked at all the same: a
 * mistake must not wait for the day on which the address has another scheme.
 *
 * @param {(Object|null)} [options] As for `tlsSpec`
 * @param {Boolean} isNeeded Whether TLS is spoken
 * @return {(Object|undefined)} `undefined` where it is not
 * @throws {TypeError}
 */
function tlsSpecWhere(options, isNeeded) {
  const isGiven = options !== undefined && options !== null
  if (!isGiven && !isNeeded) return undefined
  const spec = tlsSpec(options)
  return isNeeded ? spec : undefined
}

/** Options as they were when they were read: a program may change its objects later. */
class Known {
  spec
  #values

  /**
   * @param {Object} options
   * @param {(String|undefined)} environment What the environment says beside them
   */
  constructor(options, environment) {
    this.environment = environment
    this.#values = TLS_OPTIONS.map((name) => ownCopy(options[name]))
  }

  /**
   * @param {Object} options
   * @return {Boolean} whether they say the same
   */
  is(options) {
    return TLS_OPTIONS.every((name, index) => isSame(this.#values[index], options[name]))
  }
}

/**
 * @param {*} value
 * @return {*} The same, which nobody can change
 */
function ownCopy(value) {
  if (Array.isArray(value)) return value.map(ownCopy)
  return ArrayBuffer.isView(value) ? bytesOf(value, true) : value
}

/**
 * @param {*} known As `ownCopy` made it
 * @param {*} value
 * @return {Boolean}
 */
function isSame(known, value) {
  if (known === value) return true
  if (Array.isArray(known) && Array.isArray(value)) {
    return known.length === value.length && known.every((item, at) => isSame(item, value[at]))
  }
  return Buffer.isBuffer(known) && ArrayBuffer.isView(value) && known.equals(bytesOf(value))
}

/**
 * @param {ArrayBufferView} view
 * @param {Boolean} [copy=false]
 * @return {Buffer} Its bytes
 */
function bytesOf(view, copy = false) {
  const bytes = Buffer.from(view.buffer, view.byteOffset, view.byteLength)
  return copy ? Buffer.from(bytes) : bytes
}

/**
 * @param {Object} options
 * @return {Object} What the hub takes
 * @throws {TypeError}
 */
function readSpec(options) {
  const { ca, cert, key, passphrase, rejectUnauthorized, servername } = options
  const spec = {
    ca: ca === undefined || ca === null ? defaultRoots() : pemList(ca),
    rejectUnauthorized: process.env.NODE_TLS_REJECT_UNAUTHORIZED !== '0',
  }
  if (cert !== undefined) spec.cert = certificates('tls.cert', pemText('tls.cert', cert))
  if (key !== undefined) spec.key = privateKey(pemText('tls.key', key), passphrase)
  if ((cert === undefined) !== (key === undefined)) {
    throw invalidOption('tls', "must hold both or neither of 'cert' and 'key'")
  }
  if (rejectUnauthorized !== undefined) {
    if (typeof rejectUnauthorized !== 'boolean') {
      throw invalidOption('tls.rejectUnauthorized', 'must be a boolean')
    }
    spec.rejectUnauthorized = rejectUnauthorized
  }
  if (servername !== undefined) {
    if (typeof servername !== 'string') throw invalidOption('tls.servername', 'must be a string')
    spec.servername = servername
  }
  return spec
}

/**
 * The TLS options given flat, among the options of a connection, as ws takes them.
 *
 * @param {Object} options
 * @return {(Object|undefined)} `undefined` when there is none
 */
function flatTlsOptions(options) {
  const names = TLS_OPTIONS.filter((name) => options[name] !== undefined)
  if (names.length === 0) return undefined
  return Object.fromEntries(names.map((name) => [name, options[name]]))
}

/**
 * @param {(String|Buffer|Array)} ca
 * @return {String[]}
 */
function pemList(ca) {
  const list = Array.isArray(ca) ? ca : [ca]
  return list.map((item) => certificates('tls.ca', pemText('tls.ca', item)))
}

/**
 * @param {String} name The option
 * @param {(String|Buffer)} value
 * @return {String}
 */
function pemText(name, value) {
  if (typeof value === 'string') return value
  if (ArrayBuffer.isView(value)) {
    return bytesOf(value).toString('latin1')
  }
  throw invalidOption(name, 'must be PEM text in a string or a Buffer')
}

/**
 * @param {String} name The option
 * @param {String} text
 * @return {String} The same text, now known to hold certificates that can be read, at least one
 * @throws {TypeError} for the first that cannot
 */
function certificates(name, text) {
  const list = text.split(BEGIN).slice(1)
  if (list.length === 0) throw invalidOption(name, 'must hold certificates in PEM form')
  for (const [index, rest] of list.entries()) {
    try {
      new X509Certificate(BEGIN + rest)
    } catch (error) {
      const which =
        list.length === 1 ? '' : `; number ${index + 1} of ${list.length} cannot be read`
      throw invalidOption(name, `must hold certificates in PEM form${which}`, error)
    }
  }
  return text
}

/**
 * @param {String} text A private key, perhaps encrypted
 * @param {String} [passphrase]
 * @return {String} The key in PEM form, not encrypted
 */
function privateKey(text, passphrase) {
  try {
    return createPrivateKey({ key: text, passphrase }).export({ type: 'pkcs8', format: 'pem' })
  } catch (error) {
    throw invalidOption('tls.key', problemOfKey(text, passphrase), error)
  }
}

/**
 * @param {String} text What is no private key that can be read
 * @param {String} [passphrase]
 * @return {String} Why
 */
function problemOfKey(text, passphrase) {
  if (!/-----BEGIN (?:\w+ )*PRIVATE KEY-----/.test(text)) {
    return 'must hold a private key in PEM form'
  }
  if (!/ENCRYPTED/.test(text)) return 'holds a private key that cannot be read'
  return passphrase === undefined
    ? "is encrypted; give its 'passphrase' too"
    : "cannot be opened with that 'passphrase'"
}

module.exports = { flatTlsOptions, tlsSpec, tlsSpecWhere }
