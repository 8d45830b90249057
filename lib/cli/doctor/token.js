'use strict'

const { EXIT, Failure } = require('../failure')

/** Seconds of life that a token should have left. */
const ENOUGH = 300

/**
 * Looks at the token as the relay will: what it is for, and until when.
 *
 * @param {Checkup} checkup
 * @param {Target} target
 */
function checkToken(checkup, target) {
  if (!target.hasRight) {
    checkup.warn(
      'token',
      'there is none',
      'Senders may do without only where the hybrid connection does not require authorization.',
    )
    return
  }
  if (target.token === undefined) {
    checkup.pass('token', `it is signed here, with the rule '${target.keyName}'`)
    return
  }
  try {
    const { end, problem } = readToken(target)
    if (problem !== undefined) throw problem
    const left = Math.floor(end - Date.now() / 1000)
    const detail = `valid until ${new Date(end * 1000).toISOString()}`
    if (left <= 0) {
      throw unfit(
        `The token ended ${-left} s ago.`,
        "Make another one ('hyco-rs token'), or give the rule and its key.",
      )
    }
    if (left < ENOUGH) checkup.warn('token', detail, 'It ends soon, and cannot be renewed.')
    else checkup.pass('token', detail)
  } catch (error) {
    checkup.fail('token', error)
  }
}

/**
 * @param {Target} target
 * @return {Object} `end`, in seconds since 1970, and perhaps a `problem`
 */
function readToken(target) {
  const token = target.token.replace(/^Bearer\s+/i, '')
  if (/^SharedAccessSignature\s/i.test(token)) return readSignature(token, target)
  const [, claims] = token.split('.')
  try {
    const { aud, exp } = JSON.parse(Buffer.from(claims, 'base64url'))
    if (typeof exp !== 'number') return { problem: unfit('The token has no end.', SHAPE) }
    const wrong = !/relay/i.test(String(aud))
    return {
      end: exp,
      problem: wrong ? unfit(`The token is for ${aud}.`, JWT_AUDIENCE) : undefined,
    }
  } catch {
    return { problem: unfit('The token cannot be read.', SHAPE) }
  }
}

/**
 * @param {String} token
 * @param {Target} target
 * @return {Object} As `readToken`
 */
function readSignature(token, { path, url }) {
  const fields = new URLSearchParams(token.replace(/^\S+\s+/, ''))
  const [resource, end] = [fields.get('sr'), Number(fields.get('se'))]
  if (resource === null || !(end > 0) || !fields.has('sig') || !fields.has('skn')) {
    return { problem: unfit('The token lacks a part: it needs sr, sig, se and skn.', SHAPE) }
  }
  let audience
  try {
    audience = new URL(resource.includes('://') ? resource : `http://${resource}`)
  } catch {
    return { problem: unfit('The token is for no address (sr).', SHAPE) }
  }
  const hint = 'Sign a token for this hybrid connection or its namespace.'
  if (audience.hostname !== url.hostname) {
    return { end, problem: unfit(`The token is for ${audience.hostname}.`, hint) }
  }
  const segments = (text) =>
    decodeURIComponent(text.replace(/^\/?(?:\$hc\/)?|\/$/gi, '')).toLowerCase()
  const [allowed, wanted] = [segments(audience.pathname), segments(path)]
  const covers = allowed === '' || wanted === allowed || wanted.startsWith(`${allowed}/`)
  return {
    end,
    problem: covers ? undefined : unfit(`The token is for '${allowed}', not '${path}'.`, hint),
  }
}

const SHAPE =
  'It must be a shared access signature (SharedAccessSignature sr=…&sig=…&se=…&skn=…) or a token of Entra ID.'

const JWT_AUDIENCE = 'Ask Entra ID for the scope https://relay.azure.net/.default.'

/**
 * @param {String} message
 * @param {String} hint
 * @return {Failure}
 */
function unfit(message, hint) {
  return new Failure(message, { exit: EXIT.unauthorized, hint })
}

module.exports = { checkToken }
