'use strict'

// Builds and starts the Rust program that is the other end of every benchmark.

const { execFileSync, spawn } = require('node:child_process')
const path = require('node:path')
const readline = require('node:readline')

const manifest = path.join(__dirname, '..', 'peer', 'Cargo.toml')

/**
 * Builds the program, which takes no time when nothing has changed.
 *
 * @return {string} its path
 */
function build() {
  const options = { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }
  const args = ['build', '--quiet', '--release', '--locked', '--manifest-path', manifest]
  const out = execFileSync('cargo', [...args, '--message-format', 'json'], options)
  for (const line of out.split('\n').filter(Boolean)) {
    const { executable } = JSON.parse(line)
    if (executable) return executable
  }
  throw new Error('cargo built no program')
}

/**
 * Starts a program that prints one line of JSON when it is ready and ends with its standard input.
 *
 * @param {string} command the program
 * @param {string[]} args its arguments
 * @param {object} [env] environment variables besides those of this process
 * @return {Promise<object>} what it printed, with `pid` and `stop()`
 */
function start(command, args, env) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, ...env },
    })
    const ended = new Promise((done) => child.once('exit', done))
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`${command} ended with ${code}`)))
    readline.createInterface({ input: child.stdout }).once('line', (line) => {
      const stop = () => {
        child.stdin.end()
        const timer = setTimeout(() => child.kill('SIGKILL'), 2000)
        return ended.then(() => clearTimeout(timer))
      }
      resolve({ ...JSON.parse(line), pid: child.pid, stop })
    })
  })
}

module.exports = { build, start }
