'use strict'

const { spawn } = require('node:child_process')
const { once } = require('node:events')
const { extname, join, resolve } = require('node:path')

require('./environment')

const PROGRAMS = join(__dirname, '..', 'programs')

/**
 * A program of `__test__/programs` that runs in a process of its own.
 */
class Program {
  #output = ''
  #waiting = []
  #hasExited = false

  /**
   * @param {String} name The file, without its ending; or the whole path of another one
   * @param {Object} [options]
   * @param {String[]} [options.args]
   * @param {Object} [options.env] Variables beside those of this process
   * @param {String[]} [options.flags] Arguments of Node itself
   */
  constructor(name, { args = [], env = {}, flags = [] } = {}) {
    this.child = spawn(process.execPath, [...flags, fileOf(name), ...args], {
      env: { ...process.env, NODE_TEST_CONTEXT: undefined, FORCE_COLOR: undefined, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        this.#output += text
        this.#settle()
      })
    }
    this.exited = once(this.child, 'close').then(([code, signal]) => {
      this.#hasExited = true
      this.#settle()
      return { code, signal }
    })
  }

  /** All that it wrote so far. */
  get output() {
    return this.#output
  }

  /**
   * Waits until it has written something.
   *
   * @param {String|RegExp} text
   * @return {Promise<void>} Rejected when it exits before
   */
  says(text) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ text, resolve, reject })
      this.#settle()
    })
  }

  /**
   * Writes a line to its input.
   *
   * @param {String} line
   */
  tell(line) {
    this.child.stdin.write(`${line}\n`)
  }

  /** Kills it, if it still runs, and waits for its end. */
  async end() {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGKILL')
    await this.exited
  }

  #settle() {
    const exited = this.#hasExited
    this.#waiting = this.#waiting.filter(({ text, resolve, reject }) => {
      const found = typeof text === 'string' ? this.#output.includes(text) : text.test(this.#output)
      if (found) resolve()
      else if (exited) reject(new Error(`it exited and did not say ${text}:\n${this.#output}`))
      return !found && !exited
    })
  }
}

/**
 * @param {String} name
 * @return {String} The path of the program
 */
function fileOf(name) {
  return resolve(PROGRAMS, extname(name) === '' ? `${name}.js` : name)
}

module.exports = Program
