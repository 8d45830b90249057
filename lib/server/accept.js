'use strict'

const { STATUS_CODES } = require('node:http')

const { HANDLER, INVALID_PROTOCOL, createError, textOf } = require('../errors')
const { clearTimeout, nextTick, setTimeout } = require('../globals')
const { redact } = require('../native')
const { answerLines, readAnswer } = require('./answer-lines')
const OfferedProtocols = require('./offered-protocols')

/** What a sender is refused with when it is the listener's own code that failed. */
const HANDLER_FAILED = 502

/** What a sender is refused with when `verifyClient` never answers. */
const TOO_LATE = 504

/** What a sender is refused with when the server stops accepting. */
const CLOSING = 503

/**
 * Decides about one sender: `verifyClient`, then the subprotocol, then the `'headers'` event. Ends
 * in exactly one call of `accept` or `reject`.
 */
class Accept {
  /** What the relay says about the sender. */
  event
  request
  #options
  #outcome
  #offered
  #decided = false
  /** The handler of the user's that was asked last, for errors. */
  #asked
  #timer = null

  /**
   * @param {Object} event What the relay says about the sender
   * @param {RelayedRequest} request What the sender asks
   * @param {Object} options Those of the server
   * @param {Object} outcome What to do with the decision, which each method gets first
   * @param {Function} outcome.hearsHeaders Whether anybody wants to see the lines of the answer
   * @param {Function} outcome.showHeaders Given these lines, shows them
   * @param {Function} outcome.accept Given the subprotocol, or `undefined` for none, and the names and
   *     values of further headers
   * @param {Function} outcome.reject Given a status, a reason phrase, and an error when the fault is
   *     the listener's
   */
  constructor(event, request, options, outcome) {
    this.event = event
    this.request = request
    this.#options = options
    this.#outcome = outcome
  }

  /** Starts deciding. What a handler throws is thrown, after the sender has been refused. */
  start() {
    try {
      this.#offered = OfferedProtocols.of(this.request)
    } catch {
      this.#reject(400, 'Invalid Sec-WebSocket-Protocol header')
      return
    }
    this.#run(this.#options.verifyClient ? this.#verify : this.#chooseProtocol)
  }

  /** Refuses the sender because the server stops accepting; what a handler decides later is ignored. */
  giveUp() {
    this.#reject(CLOSING, 'The listener is closing')
  }

  /** Asks `verifyClient`, in the forms ws 8 knows, or one that returns a promise. */
  #verify() {
    const options = this.#options
    const headers = this.request.headers
    const isOld = headers['sec-websocket-version'] === '8'
    const info = {
      origin: headers[isOld ? 'sec-websocket-origin' : 'origin'],
      secure: this.request.socket.encrypted,
      req: this.request,
    }
    const verified = (answer, code, message) => {
      if (this.#decided) return
      clearTimeout(this.#timer)
      if (answer) this.#run(this.#chooseProtocol)
      else this.#reject(isStatus(code) ? code : 401, message)
    }
    this.#asked = 'verifyClient'
    if (options.verifyClient.length === 2) {
      let answered = false
      this.#waitFor(TOO_LATE, 'The listener did not decide in time')
      options.verifyClient(info, (...answer) => {
        if (answered) return
        answered = true
        verified(...answer)
      })
      return
    }
    const answer = options.verifyClient(info)
    if (typeof answer?.then === 'function') {
      this.#waitFor(TOO_LATE, 'The listener did not decide in time')
      this.#await(answer, verified)
    } else {
      verified(answer)
    }
  }

  /** Takes the first protocol offered, if nobody is to be asked. */
  #chooseProtocol() {
    if (this.#options.handleProtocols) this.#askForProtocol()
    else this.#showHeaders(this.#offered[0])
  }

  /** Asks `handleProtocols`, in the form of ws 8 or of hyco-ws. */
  #askForProtocol() {
    const options = this.#options
    const respond = (ok, protocol) => {
      if (this.#decided) return
      if (ok) this.#run(() => this.#take(protocol))
      else this.#reject(401, 'Unauthorized')
    }
    this.#asked = 'handleProtocols'
    const answer = options.handleProtocols(this.#offered, createResponder(this.request, respond))
    if (this.#decided) return
    if (typeof answer?.then === 'function') {
      this.#waitFor(501, 'Could not process protocols')
      this.#await(answer, (value) => {
        if (value !== undefined && !this.#decided) this.#run(() => this.#take(value))
      })
    } else if (answer === undefined && options.handleProtocols.length > 1) {
      this.#waitFor(501, 'Could not process protocols')
    } else {
      this.#take(answer)
    }
  }

  /** A handler may answer later, but a sender does not wait for ever. */
  #waitFor(status, reason) {
    const { acceptTimeout } = this.#options
    const late = `${this.#asked} did not decide within ${acceptTimeout} ms`
    this.#timer = setTimeout(() => {
      const error = createError(HANDLER, `${late}, so the sender was refused with ${status}`)
      this.#reject(status, reason, error)
    }, acceptTimeout)
  }

  /** Takes what `handleProtocols` chose; anything but a string with something in it is none. */
  #take(protocol) {
    this.#showHeaders(typeof protocol === 'string' && protocol !== '' ? protocol : undefined)
  }

  /** Lets `'headers'` listeners see and change the answer. */
  #showHeaders(protocol) {
    // Where nothing was offered there is nothing to choose: what a handler says is without effect.
    if (this.#offered.length === 0) protocol = undefined
    if (!this.#outcome.hearsHeaders()) {
      this.#accept(protocol, [])
      return
    }
    const lines = answerLines(protocol)
    this.#asked = "a 'headers' listener"
    this.#outcome.showHeaders(this, lines)
    let answer
    try {
      answer = readAnswer(lines)
    } catch (error) {
      this.#reject(HANDLER_FAILED, 'The listener added a header that cannot be sent', error)
      return
    }
    this.#accept(answer.protocol, answer.headers)
  }

  #accept(protocol, headers) {
    if (this.#decided) return
    if (protocol !== undefined && !this.#offered.has(protocol)) {
      const error = createError(
        INVALID_PROTOCOL,
        `the subprotocol ${JSON.stringify(protocol)} was chosen but not offered`,
      )
      this.#reject(HANDLER_FAILED, 'The listener chose a subprotocol that was not offered', error)
      return
    }
    this.#decide()
    this.#outcome.accept(this, protocol, headers)
  }

  #reject(status, message, error) {
    if (this.#decided) return
    this.#decide()
    this.#outcome.reject(this, status, reasonPhrase(status, message), error)
  }

  #decide() {
    this.#decided = true
    clearTimeout(this.#timer)
  }

  /** Goes on with what calls a handler of the user's: whatever it throws, the sender is answered. */
  #run(step) {
    try {
      step.call(this)
    } catch (error) {
      this.#handlerFailed(error)
      throw error
    }
  }

  /** Waits for a handler of the user's; what it rejects with surfaces as if it were thrown. */
  #await(promise, then) {
    const failed = (error) => {
      this.#handlerFailed(error)
      throw error
    }
    // In a tick of its own, where an exception is not taken for a rejection.
    promise.then(
      (value) => nextTick(then, value),
      (error) => nextTick(failed, error),
    )
  }

  #handlerFailed(cause) {
    const text = `${this.#asked} threw, so the sender was refused with ${HANDLER_FAILED}`
    const error = createError(HANDLER, `${text}: ${redact(textOf(cause))}`, { cause })
    this.#reject(HANDLER_FAILED, 'The listener threw an exception', error)
  }
}

/**
 * The second argument of `handleProtocols`: the callback of hyco-ws, which is also the request of
 * ws 8.
 *
 * @param {RelayedRequest} request
 * @param {Function} respond Given whether to accept, and the subprotocol
 * @return {Function}
 */
function createResponder(request, respond) {
  const responder = (ok, protocol) => respond(ok, protocol)
  for (const name of ['apply', 'bind', 'call']) {
    Object.defineProperty(responder, name, { value: Function.prototype[name] })
  }
  return Object.setPrototypeOf(responder, request)
}

/**
 * @param {Number} status
 * @param {*} message What a handler gave as the reason
 * @return {String} It, where it is a text, else the standard phrase
 */
function reasonPhrase(status, message) {
  const isText = ['bigint', 'boolean', 'number', 'string'].includes(typeof message)
  return (isText && message && String(message)) || STATUS_CODES[status] || 'Rejected'
}

/**
 * @param {*} code
 * @return {Boolean} whether the relay takes it as a status
 */
function isStatus(code) {
  return Number.isInteger(code) && code >= 100 && code <= 999
}

module.exports = Accept
