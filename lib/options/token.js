'use strict'

const { TOKEN, createError, invalidOption } = require('../errors')
const { createRelayToken } = require('../uri')

/** What a credential of Azure is asked for, unless `tokenScope` says otherwise. */
const DEFAULT_SCOPE = 'https://relay.azure.net/.default'

/** How long a token signed here lives, in seconds; it is renewed well before its end. */
const TOKEN_SECONDS = 3600

/** Longest name or key of a rule (docs/protocol.md, 7.1). */
const LONGEST_RULE_PART = 256

/**
 * Yields tokens. Either `fixed` is set, and there is only ever this one, or `get` is to be asked.
 */
class TokenSource {
  #get

  /**
   * @param {(String|undefined)} fixed A token that cannot be renewed
   * @param {Function} [get] Gives a token, or a promise of one
   */
  constructor(fixed, get) {
    /** @type {(String|undefined)} */
    this.fixed = fixed
    this.#get = get
  }

  /**
   * Asks for a token.
   *
   * @return {Promise<String>}
   * @throws {Error} HYCO_ERR_TOKEN, whatever went wrong, with the cause
   */
  async get() {
    if (this.fixed !== undefined) return this.fixed
    let token
    try {
      token = await this.#get()
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause)
      throw createError(TOKEN, `the token provider failed: ${why}`, { cause })
    }
    if (typeof token !== 'string' || token === '') {
      throw createError(TOKEN, 'the token provider gave no token')
    }
    return token
  }
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
function createTokenSource(token, scope = DEFAULT_SCOPE) {
  if (typeof token === 'string' && token !== '') return new TokenSource(token)
  if (typeof token === 'function') return new TokenSource(undefined, () => token())
  if (typeof token?.getToken === 'function') {
    if (typeof scope !== 'string' && !Array.isArray(scope)) {
      throw invalidOption('tokenScope', 'must be a string')
    }
    return new TokenSource(undefined, async () => (await token.getToken(scope))?.token)
  }
  if (typeof token?.then === 'function') {
    // Who waits for it is told when it rejects. If nobody does, that must not end the process.
    token.then(undefined, ignore)
    return new TokenSource(undefined, () => token)
  }
  throw invalidOption('token', 'must be a non-empty string, a function or a credential')
}

const ignore = () => {}

/**
 * Signs tokens with a rule's key.
 *
 * @param {String} uri What the tokens are for
 * @param {String} keyName The rule
 * @param {String} key Its key
 * @return {TokenSource}
 * @throws {TypeError}
 */
function createKeySource(uri, keyName, key) {
  checkRulePart('keyName', keyName)
  checkRulePart('key', key)
  return new TokenSource(undefined, () => createRelayToken(uri, keyName, key, TOKEN_SECONDS))
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
