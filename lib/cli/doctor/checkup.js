'use strict'

const { redact } = require('../../native')
const { EXIT, exitOf } = require('../failure')

const STYLE = { ok: 'green', warning: 'yellow', failed: 'red', skipped: 'dim' }

/**
 * The checks that were made, and what came of each.
 */
class Checkup {
  #terminal
  #results = []
  #exit = EXIT.ok

  /**
   * @param {Terminal} terminal
   */
  constructor(terminal) {
    this.#terminal = terminal
  }

  /**
   * Makes a check.
   *
   * @param {String} name
   * @param {Function} check Gives what is to be told about it, or a promise of that; it fails by
   *     throwing
   * @return {Promise<Boolean>} Whether it went well
   */
  async run(name, check) {
    const started = Date.now()
    const over = this.#terminal.waiting(name)
    try {
      const detail = await check()
      over()
      this.#add({ name, status: 'ok', detail, ms: Date.now() - started })
      return true
    } catch (error) {
      over()
      this.fail(name, error, Date.now() - started)
      return false
    }
  }

  /**
   * A check that went well.
   *
   * @param {String} name
   * @param {String} detail What was found
   */
  pass(name, detail) {
    this.#add({ name, status: 'ok', detail })
  }

  /**
   * A check that went well, but there is something to look at.
   *
   * @param {String} name
   * @param {String} detail
   * @param {String} hint What to do
   */
  warn(name, detail, hint) {
    this.#add({ name, status: 'warning', detail, hint })
  }

  /**
   * A check that failed.
   *
   * @param {String} name
   * @param {Error} error
   * @param {Number} [ms] How long it took
   */
  fail(name, error, ms) {
    const { code, hint, message, statusCode, trackingId } = error
    if (this.#exit === EXIT.ok) this.#exit = exitOf(error)
    this.#add({ name, status: 'failed', detail: message, hint, code, statusCode, trackingId, ms })
  }

  /**
   * A check that was not made.
   *
   * @param {String} name
   * @param {String} detail Why
   */
  skip(name, detail) {
    this.#add({ name, status: 'skipped', detail })
  }

  /**
   * Tells the outcome.
   *
   * @return {Number} The exit code
   */
  finish() {
    const [failed, warnings] = ['failed', 'warning'].map(
      (wanted) => this.#results.filter(({ status }) => status === wanted).length,
    )
    if (this.#terminal.json) {
      const { code: exitCode } = this.#exit
      this.#terminal.object({ ok: failed === 0, exitCode, checks: this.#results })
    } else {
      const well = warnings === 0 ? 'All is well.' : `It works. Warnings: ${warnings}.`
      this.#terminal.line(failed === 0 ? well : `It does not work. Failed checks: ${failed}.`)
    }
    return this.#exit.code
  }

  #add(result) {
    // What the other side says may repeat a token.
    result.detail = redact(result.detail)
    this.#results.push(result)
    if (this.#terminal.json) return
    const { detail, hint, name, status } = result
    const label = this.#terminal.style(STYLE[status], status.padEnd(8))
    this.#terminal.line(`${label} ${name.padEnd(14)} ${this.#terminal.safe(detail)}`)
    if (hint !== undefined) this.#terminal.line(`${' '.repeat(24)}${this.#terminal.safe(hint)}`)
  }
}

module.exports = { Checkup }
