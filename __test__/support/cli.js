'use strict'

const { spawn } = require('node:child_process')
const { once } = require('node:events')
const { closeSync, mkdtempSync, openSync, rmSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')

const BIN = join(__dirname, '..', '..', 'bin', 'hyco-rs.js')

/** Variables that would change what the program does. */
const INFLUENCES =
  /^(?:HYCO_.*|SB_HC_.*|NO_COLOR|FORCE_COLOR|NODE_TEST_CONTEXT|.*_PROXY|NODE_(?:DEBUG|OPTIONS))$/i

/**
 * The program `hyco-rs` in a process of its own, in an empty folder and without variables.
 */
class Cli {
  #waiting = []
  #hasExited = false

  /**
   * @param {String[]} args
   * @param {Object} [options]
   * @param {Object} [options.env] Variables to set
   * @param {String} [options.cwd] The folder to run in
   * @param {(String|Buffer)} [options.input] Written to its input, which then ends
   * @param {String} [options.output] The file to which its standard output goes
   */
  constructor(args, { env = {}, cwd, input, output } = {}) {
    const clean = Object.entries(process.env).filter(([name]) => !INFLUENCES.test(name))
    this.folder = cwd ?? mkdtempSync(join(tmpdir(), 'hyco-rs-cli-'))
    this.stdout = ''
    this.stderr = ''
    // The local relay keeps its authority there, and several start at the same time.
    const data = ['XDG_DATA_HOME', 'LOCALAPPDATA'].map((name) => [name, this.folder])
    const file = output === undefined ? 'pipe' : openSync(output, 'w')
    this.child = spawn(process.execPath, [BIN, ...args], {
      cwd: this.folder,
      env: { ...Object.fromEntries([...clean, ...data]), ...env },
      stdio: ['pipe', file, 'pipe'],
    })
    if (output !== undefined) closeSync(file)
    for (const name of ['stdout', 'stderr']) {
      this.child[name]?.setEncoding('utf8').on('data', (text) => {
        this[name] += text
        this.#settle()
      })
    }
    // A program that has ended reads no more.
    this.child.stdin.on('error', () => {})
    if (input !== undefined) this.child.stdin.end(input)
    this.exited = once(this.child, 'close').then(([code, signal]) => {
      this.#hasExited = true
      this.#settle()
      if (cwd === undefined) rmSync(this.folder, { recursive: true })
      const { stdout, stderr } = this
      return { code, signal, stdout, stderr }
    })
  }

  /** Why tests that end the program with Ctrl+C cannot run here; `false` where they can. */
  static get unfit() {
    return process.platform === 'win32' && 'a program on Windows cannot be sent Ctrl+C'
  }

  /**
   * Runs it to its end.
   *
   * @param {String[]} args
   * @param {Object} [options]
   * @return {Promise<Object>} `code`, `signal`, `stdout` and `stderr`
   */
  static run(args, options) {
    return new Cli(args, { input: '', ...options }).exited
  }

  /**
   * Waits until it has written something, to either of its outputs.
   *
   * @param {(String|RegExp)} text
   * @return {Promise<String[]>} What a pattern found
   */
  says(text) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ text, resolve, reject })
      this.#settle()
    })
  }

  /**
   * Asks it to end, as Ctrl+C does, and waits for that.
   *
   * @param {String} [signal]
   * @return {Promise<Object>} As `run` gives it
   */
  interrupt(signal = 'SIGINT') {
    this.child.kill(signal)
    return this.exited
  }

  /** Kills it, if it still runs. */
  async end() {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGKILL')
    await this.exited
  }

  #settle() {
    const exited = this.#hasExited
    this.#waiting = this.#waiting.filter(({ text, resolve, reject }) => {
      const found = [this.stdout, this.stderr]
        .map((output) => (typeof text === 'string' ? output.includes(text) : text.exec(output)))
        .find(Boolean)
      if (found) resolve(found)
      else if (exited) {
        reject(new Error(`it exited and did not say ${text}:\n${this.stdout}\n${this.stderr}`))
      }
      return !found && !exited
    })
  }
}

module.exports = Cli
