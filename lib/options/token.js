'use strict'

const { TOKEN, createError, invalidOption, textOf } = require('../errors')
const { redact } = require('../native')
const { createRelayToken } = require('../uri')

/** What a credential of Azure is asked for, unless `tokenScope` says otherwise. */
const DEFAULT_SCOPE = 'https://relay.azure.net/.default'

/** How long a token signed here lives, in seconds; it is renewed well before its end. */
const TOKEN_SECONDS = 3600

/** Longest name or key of a rule (docs/protocol.md, 7.1). */
const LONGEST_RULE_PART = 256

/** What no header can hold: control characters, and what is beyond Latin-1. */
// oxlint-disable-next-line no-control-regex -- these are what is looked for
const UNSENDABLE = /[\0-\x1f\x7f-\x9f]|[^\0-\xff]/

/**
 * Yields tokens. Where `fixed` is set there is only ever this one; where `keyName` and `key` are set
 * the native side can sign tokens by itself; else it is to be asked.
 */
class TokenSource {
  #get

  /**
   * @param {Function} get Gives a token, or an object with `token` and perhaps `expiresOnTimestamp` and
   *     `refreshAfterTimestamp`, or a promise of either
   * @param {Object} [known]
   * @param {String} [known.fixed] A token that cannot be renewed
   * @param {String} [known.keyName] The rule whose key signs
   * @param {String} [known.key] Its key
   */
  constructor(get, { fixed, keyName, key } = {}) {
    /** @type {(String|undefined)} */
    this.fixed = fixed
    this.keyName = keyName
    Object.defineProperty(this, 'key', { value: key })
    this.#get = get
  }

  /**
   * Asks for a token.
   *
   * @return {Promise<String>}
   * @throws {Error} HYCO_ERR_TOKEN, whatever went wrong, with the cause
   */
  async get() {
    return (await this.fetch()).token
  }

  /**
   * Asks for a token and its times.
   *
   * @return {Promise<Object>} `token`; `expiresOn`, when it ends, and `refreshAfter`, when it wants to be
   *     renewed, both in milliseconds since 1970 and `undefined` where the source does not tell
   * @throws {Error} HYCO_ERR_TOKEN, whatever went wrong, with the cause
   */
  async fetch() {
    let given
    try {
      given = await this.#get()
    } catch (cause) {
      const why = redact(textOf(cause))
      throw createError(TOKEN, `the token provider failed: ${why}`, { cause })
    }
    const token = (typeof given === 'object' ? given?.token : given)?.trim?.()
    const problem = problemOf(token)
    if (problem !== undefined) throw createError(TOKEN, `the token provider gave ${problem}`)
    return {
      token,
      expiresOn: timestamp(given.expiresOnTimestamp),
      refreshAfter: timestamp(given.refreshAfterTimestamp),
    }
  }
}

/**
 * @param {*} token What was given as a token, without blanks at its ends
 * @return {(String|undefined)} Why it is none, and what is to be given
 */
function problemOf(token) {
  if (typeof token !== 'string' || token === '') {
    return "no token: it has to give a string, or an object with a string 'token'"
  }
  // What the page of a proxy or of a login looks like.
  if (token.startsWith('<'))
    return 'an HTML or XML document and no token: look at where it gets it from'
  if (UNSENDABLE.test(token))
    return 'a text that no header can hold: cut off what is no part of the token'
  return undefined
}

/**
 * @param {*} value
 * @return {(Number|undefined)} The value, if it is a time
 */
function timestamp(value) {
  return typeof value === 'number' && value > 0 ? value : undefined
}

/**
 * Reads a token in any of its forms.
 *
 * @param {(String|Function|Object|Promise)} token A token; a function that returns one or a promise
 *     of one; an object with `getToken(scope)`; a promise of a token
 * @param {String} [scope] What a credential is asked for
 * @return {TokenSource}
 * @throws {TypeError}
 */
function createTokenSource(token, scope) {
  checkScope(scope)
  if (typeof token === 'string' && token.trim() !== '') {
    const fixed = token.trim()
    if (UNSENDABLE.test(fixed)) {
      throw invalidOption(
        'token',
        'holds a line break or another character that no header can hold',
      )
    }
    return new TokenSource(() => fixed, { fixed })
  }
  if (typeof token === 'function') return new TokenSource(() => token())
  if (typeof token?.getToken === 'function') {
    return new TokenSource(() => token.getToken(scope ?? DEFAULT_SCOPE))
  }
  if (typeof token?.then === 'function') {
    // Who waits for it is told when it rejects. If nobody does, that must not end the process.
    token.then(undefined, ignore)
    return new TokenSource(() => token)
  }
  throw invalidOption('token', 'must be a non-empty string, a function or a credential')
}

const ignore = () => {}

/**
 * @param {*} scope What may be given as `tokenScope`
 * @throws {TypeError}
 */
function checkScope(scope) {
  if (scope === undefined || scope === null || typeof scope === 'string') return
  if (Array.isArray(scope) && scope.every((one) => typeof one === 'string')) return
  throw invalidOption('tokenScope', 'must be a string, or an array of strings')
}

/**
 * Signs tokens with a rule's key.
 *
 * @param {String} uri What the tokens are for
 * @param {String} keyName The rule
 * @param {(String|Uint8Array)} key Its key
 * @return {TokenSource}
 * @throws {TypeError}
 */
function createKeySource(uri, keyName, key) {
  checkRulePart('keyName', keyName)
  if (key instanceof Uint8Array) {
    // Bytes of our own: what the caller does with his must not change the key.
    const bytes = Uint8Array.from(key)
    return new TokenSource(() => createRelayToken(uri, keyName, bytes, TOKEN_SECONDS))
  }
  checkRulePart('key', key)
  const sign = () => createRelayToken(uri, keyName, key, TOKEN_SECONDS)
  return new TokenSource(sign, { keyName, key })
}

/**
 * @param {String} name The option
 * @param {*} value A rule's name or key
 * @throws {TypeError}
 */
function checkRulePart(name, value) {
  if (typeof value !== 'string' || value === '' || value.length > LONGEST_RULE_PART) {
    throw invalidOption(name, `must be a string of 1 to ${LONGEST_RULE_PART} characters`)
  }
}

module.exports = { createKeySource, createTokenSource }
