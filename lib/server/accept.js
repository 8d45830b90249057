'use strict'

const { STATUS_CODES } = require('node:http')
const { subprotocol } = require('ws')

const { HANDLER, INVALID_PROTOCOL, createError } = require('../errors')

/** What a sender is refused with when it is the listener's own code that failed. */
const HANDLER_FAILED = 502

/** The line of a handshake answer that names the subprotocol. */
const PROTOCOL_LINE = /^sec-websocket-protocol:\s*(.*?)\s*$/i

/**
 * The subprotocols a sender offers: an `Array` as hyco-ws gives it to `handleProtocols`, with the
 * `has` and `size` of the `Set` that ws 8 gives.
 *
 * @extends Array
 */
class OfferedProtocols extends Array {
  /** Derived arrays are plain ones. */
  static get [Symbol.species]() {
    return Array
  }

  /** @type {Number} */
  get size() {
    return this.length
  }

  /**
   * @param {String} protocol
   * @return {Boolean} whether it was offered
   */
  has(protocol) {
    return this.includes(protocol)
  }
}

/**
 * Decides about one sender: `verifyClient`, then the subprotocol, then the `'headers'` event. Ends
 * in exactly one call of `accept` or `reject`.
 */
class Accept {
  #request
  #options
  #outcome
  #offered
  #decided = false
  #timer = null

  /**
   * @param {RelayedRequest} request What the sender asks
   * @param {Object} options Those of the server
   * @param {Object} outcome What to do with the decision
   * @param {Function} outcome.headers Given the lines of the answer, shows them to the listeners;
   *     `null` when nobody listens
   * @param {Function} outcome.accept Given the subprotocol, or `undefined` for none
   * @param {Function} outcome.reject Given a status, a reason phrase, and an error when the fault is
   *     the listener's
   */
  constructor(request, options, outcome) {
    this.#request = request
    this.#options = options
    this.#outcome = outcome
  }

  /** Starts deciding. What a handler throws is thrown, after the sender has been refused. */
  start() {
    const header = this.#request.headers['sec-websocket-protocol']
    try {
      this.#offered = OfferedProtocols.from(header === undefined ? [] : subprotocol.parse(header))
    } catch {
      this.#reject(400, 'Invalid Sec-WebSocket-Protocol header')
      return
    }
    this.#verify()
  }

  /** Asks `verifyClient`, in the forms ws 8 knows, or one that returns a promise. */
  #verify() {
    const options = this.#options
    if (!options.verifyClient) {
      this.#chooseProtocol()
      return
    }
    const headers = this.#request.headers
    const isOld = headers['sec-websocket-version'] === '8'
    const info = {
      origin: headers[isOld ? 'sec-websocket-origin' : 'origin'],
      secure: this.#request.socket.encrypted,
      req: this.#request,
    }
    const verified = (answer, code, message) => {
      if (this.#decided) return
      if (answer) this.#chooseProtocol()
      else this.#reject(isStatus(code) ? code : 401, message)
    }
    if (options.verifyClient.length === 2) {
      let answered = false
      const callback = (...answer) => {
        if (answered) return
        answered = true
        verified(...answer)
      }
      this.#run(() => options.verifyClient(info, callback))
      return
    }
    const answer = this.#run(() => options.verifyClient(info))
    if (typeof answer?.then === 'function') this.#await(answer, verified)
    else verified(answer)
  }

  /** Asks `handleProtocols`, in the form of ws 8 or of hyco-ws; else takes the first offered. */
  #chooseProtocol() {
    const options = this.#options
    if (!options.handleProtocols) {
      this.#showHeaders(this.#offered[0])
      return
    }
    const respond = (ok, protocol) => {
      if (this.#decided) return
      if (ok) this.#take(protocol)
      else this.#reject(401, 'Unauthorized')
    }
    const answer = this.#run(() =>
      options.handleProtocols(this.#offered, createResponder(this.#request, respond)),
    )
    if (this.#decided) return
    if (typeof answer?.then === 'function') {
      this.#waitForResponse()
      this.#await(answer, (value) => {
        if (value !== undefined && !this.#decided) this.#take(value)
      })
    } else if (answer === undefined && options.handleProtocols.length > 1) {
      this.#waitForResponse()
    } else {
      this.#take(answer)
    }
  }

  /** A handler that returned nothing may still answer, but a sender does not wait for ever. */
  #waitForResponse() {
    this.#timer = setTimeout(() => {
      const error = createError(HANDLER, 'handleProtocols did not decide in time')
      this.#reject(501, 'Could not process protocols', error)
    }, this.#options.acceptTimeout)
  }

  /** Takes what `handleProtocols` chose; anything but a string with something in it is none. */
  #take(protocol) {
    this.#showHeaders(typeof protocol === 'string' && protocol !== '' ? protocol : undefined)
  }

  /** Lets `'headers'` listeners see and change the answer. Only the subprotocol can take effect. */
  #showHeaders(protocol) {
    // Where nothing was offered there is nothing to choose: what a handler says is without effect.
    if (this.#offered.length === 0) protocol = undefined
    const { headers } = this.#outcome
    if (headers !== null) {
      const lines = [
        'HTTP/1.1 101 Switching Protocols',
        'Upgrade: websocket',
        'Connection: Upgrade',
      ]
      if (protocol !== undefined) lines.push(`Sec-WebSocket-Protocol: ${protocol}`)
      this.#run(() => headers(lines))
      protocol = protocolOf(lines)
    }
    this.#accept(protocol)
  }

  #accept(protocol) {
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
    this.#outcome.accept(protocol)
  }

  #reject(status, message, error) {
    if (this.#decided) return
    this.#decide()
    this.#outcome.reject(status, String(message || STATUS_CODES[status] || 'Rejected'), error)
  }

  #decide() {
    this.#decided = true
    clearTimeout(this.#timer)
  }

  /** Runs a handler of the user's. */
  #run(handler) {
    try {
      return handler()
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
      (value) => process.nextTick(then, value),
      (error) => process.nextTick(failed, error),
    )
  }

  #handlerFailed(cause) {
    const error = createError(HANDLER, 'a handler of the listener threw', { cause })
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
 * @param {Array} lines Of the handshake answer
 * @return {(String|undefined)} The subprotocol that the last such line names
 */
function protocolOf(lines) {
  let protocol
  for (const line of lines) {
    const match = PROTOCOL_LINE.exec(line)
    if (match) protocol = match[1] === '' ? undefined : match[1]
  }
  return protocol
}

/**
 * @param {*} code
 * @return {Boolean} whether the relay takes it as a status
 */
function isStatus(code) {
  return Number.isInteger(code) && code >= 100 && code <= 999
}

module.exports = Accept
