'use strict'

const STYLES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 }

/** Milliseconds after which a wait is worth a word. */
const PATIENCE = 400

/** What a terminal would take as a command: everything but line breaks and tabs. */
const CONTROL = /(?![\n\t])\p{Cc}/gu

/**
 * Where a command writes: results to standard output, all else to standard error.
 */
class Terminal {
  /**
   * @param {Object} [values] The options of the command
   * @param {Boolean} [values.json] Write objects instead of texts
   * @param {Boolean} [values.quiet] Write no status
   */
  constructor({ json = false, quiet = false } = {}) {
    this.json = json
    this.quiet = quiet
  }

  /**
   * Writes a line of the result.
   *
   * @param {String} text
   */
  line(text) {
    process.stdout.write(`${text}\n`)
  }

  /**
   * Writes an object of the result.
   *
   * @param {Object} value
   */
  object(value) {
    this.line(JSON.stringify(value))
  }

  /**
   * Says what happens. With `--json` it is an object of the result.
   *
   * @param {String} text
   * @param {Object} [event] The same for programs
   */
  status(text, event) {
    if (this.json) {
      if (event !== undefined) this.object(event)
    } else if (!this.quiet) {
      process.stderr.write(`${this.style('dim', this.safe(text), process.stderr)}\n`)
    }
  }

  /**
   * Shows on a terminal what is being waited for, once that takes longer than people like.
   *
   * @param {String} text
   * @return {Function} To be called when the wait is over
   */
  waiting(text) {
    if (this.json || this.quiet || !process.stderr.isTTY) return () => {}
    let shown = false
    const timer = setTimeout(() => {
      shown = true
      process.stderr.write(this.style('dim', `${this.safe(text)} …`, process.stderr))
    }, PATIENCE)
    return () => {
      clearTimeout(timer)
      if (shown) process.stderr.write('\r\u001b[K')
    }
  }

  /**
   * Says what is wrong.
   *
   * @param {String} message
   * @param {String} [hint] What to do
   */
  error(message, hint) {
    const label = this.style('red', 'error:', process.stderr)
    process.stderr.write(`${label} ${this.safe(message)}\n`)
    if (hint) process.stderr.write(`${this.safe(hint)}\n`)
  }

  /**
   * Colours a text where the stream is a terminal that has colours; Node looks at NO_COLOR and
   * FORCE_COLOR for that.
   *
   * @param {String} style
   * @param {String} text
   * @param {Object} [stream] Where it will be written
   * @return {String}
   */
  style(style, text, stream = process.stdout) {
    return stream.isTTY && stream.hasColors?.() ? `\u001b[${STYLES[style]}m${text}\u001b[0m` : text
  }

  /**
   * Makes a text harmless that came from outside: it may hold commands for the terminal.
   *
   * @param {String} text
   * @return {String}
   */
  safe(text) {
    return text.replace(
      CONTROL,
      (letter) => `\\x${letter.charCodeAt(0).toString(16).padStart(2, '0')}`,
    )
  }
}

/**
 * Ends the program when what it writes goes nowhere. A reader that leaves, as in
 * `hyco-rs listen | head -1`, is no failure: then it ends quietly. A full disk is one.
 *
 * @param {Terminal} terminal Says so
 */
function endWithReader(terminal) {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error) => {
      if (error.code === 'EPIPE') process.exit(process.exitCode ?? 0)
      // What standard error cannot take, nobody can be told.
      if (stream === process.stdout) {
        terminal.error(`Standard output takes no more: ${error.message}.`)
      }
      process.exit(1)
    })
  }
}

/**
 * Ctrl+C and SIGTERM: the first asks for an end, the second does not wait for it.
 *
 * @return {AbortSignal} Aborted by the first
 */
function interruption() {
  const controller = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(130)
      controller.abort()
    })
  }
  return controller.signal
}

module.exports = { Terminal, endWithReader, interruption }
