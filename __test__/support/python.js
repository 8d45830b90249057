'use strict'

const { execFileSync } = require('node:child_process')
const { existsSync, mkdtempSync, renameSync, rmSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')

const kept = require('./kept')

const PACKAGE = 'websockets==15.0.1'

/**
 * A Python that has the package `websockets`, in the system's temporary folder; it is kept for the
 * next run.
 *
 * @return {String|null} The path of the interpreter, or null where there is no Python 3
 * @throws {Error} when the package cannot be fetched
 */
function pythonWithWebsockets() {
  const home = kept('websockets-15.0.1')
  const interpreter = join(home, 'bin', 'python3')
  const ready = join(home, 'ready')
  if (existsSync(ready)) return interpreter
  try {
    execFileSync('python3', ['-c', 'import venv, ensurepip'], { stdio: 'ignore' })
  } catch {
    return null
  }
  const folder = mkdtempSync(join(tmpdir(), 'hyco-rs-test-'))
  try {
    const run = (file, ...args) =>
      execFileSync(file, args, { stdio: ['ignore', 'ignore', 'inherit'], timeout: 300_000 })
    run('python3', '-m', 'venv', folder)
    run(join(folder, 'bin', 'python3'), '-m', 'pip', 'install', '--quiet', PACKAGE)
    run('touch', join(folder, 'ready'))
    renameSync(folder, home)
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    if (existsSync(ready)) return interpreter
    throw new Error(`${PACKAGE} could not be fetched with pip`, { cause: error })
  }
  return interpreter
}

module.exports = pythonWithWebsockets
