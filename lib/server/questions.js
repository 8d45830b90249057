'use strict'

const { TOKEN, fromNative } = require('../errors')
const { nextTick } = require('../globals')
const { reconnectDelay } = require('../options/reconnect')

/**
 * Answers what a listener asks of the program: a token, and how long to wait before the next try. What
 * the program's functions fail with is remembered until the listener reports that it failed for it.
 */
class Questions {
  #tokens
  #reconnect
  #blame
  #listener = null
  #tokenError = null

  /**
   * @param {Object} given
   * @param {Object} given.tokens A token source
   * @param {Object} given.reconnect As `reconnectOptions` returns it
   * @param {Function} given.blame Gives an error the stack of the one who made the server
   */
  constructor({ tokens, reconnect, blame }) {
    this.#tokens = tokens
    this.#reconnect = reconnect
    this.#blame = blame
  }

  /**
   * Says who asks.
   *
   * @param {(Listener|null)} listener `null` when it has ended: nobody hears the answers any more
   */
  comeFrom(listener) {
    this.#listener = listener
  }

  /**
   * The error that a failure stands for: where a token is missing, what its function threw.
   *
   * @param {Object} failure As the native side tells it
   * @return {Error}
   */
  errorOf(failure) {
    const isOurs = failure.code === TOKEN && this.#tokenError !== null
    return isOurs ? this.#tokenError : this.#blame(fromNative(failure))
  }

  /** Fetches a token. @param {Object} event */
  token({ request }) {
    const answered = (given) => {
      this.#tokenError = null
      this.#listener?.provideToken(request, given)
    }
    // A failure comes back with the event of the try or of the renewal that failed for it.
    this.#tokens.fetch().then(answered, (error) => {
      this.#tokenError = error
      this.#listener?.provideToken(request, null, error.message)
    })
  }

  /**
   * Asks the function that was given as `reconnect`; where it throws, the schedule decides.
   *
   * @param {Object} event
   */
  reconnect({ request, attempt, delay, error }) {
    const decide = (wait) => this.#listener?.decideReconnect(request, wait)
    const failed = (thrown) => {
      decide(delay)
      throw thrown
    }
    try {
      const answer = this.#reconnect.decide({ attempt, delay, error: this.errorOf(error) })
      if (typeof answer?.then !== 'function') {
        decide(reconnectDelay(answer, delay))
        return
      }
      answer.then(
        (value) => decide(reconnectDelay(value, delay)),
        // In a tick of its own, where an exception is not taken for a rejection.
        (thrown) => nextTick(failed, thrown),
      )
    } catch (thrown) {
      failed(thrown)
    }
  }
}

module.exports = Questions
