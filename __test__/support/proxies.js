'use strict'

const { execFileSync } = require('node:child_process')
const { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')

/** Proxies that others wrote. Together they bring a hundred packages, so they are no dependency. */
const PACKAGES = ['proxy-chain@2.7.1', 'simple-socks@3.6.0']

/**
 * The packages, installed in the system's temporary folder and kept there for the next run.
 *
 * @return {Object} `ProxyChain` and `SimpleSocks`, what they export
 * @throws {Error} when they cannot be fetched: a run without them proves nothing
 */
function proxies() {
  const home = join(tmpdir(), 'hyco-rs-test-proxies-1')
  if (!existsSync(home)) install(home)
  const load = (name) => require(join(home, 'node_modules', name))
  return { ProxyChain: load('proxy-chain'), SimpleSocks: load('simple-socks').default }
}

/**
 * @param {String} home The folder, made whole before it gets this name
 */
function install(home) {
  const folder = mkdtempSync(join(tmpdir(), 'hyco-rs-test-'))
  const quiet = ['--ignore-scripts', '--loglevel=error', '--no-audit', '--no-fund']
  try {
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
    const options = { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'], timeout: 120_000 }
    execFileSync('npm', ['install', ...quiet, ...PACKAGES], options)
    renameSync(folder, home)
  } catch (cause) {
    rmSync(folder, { recursive: true, force: true })
    if (existsSync(home)) return
    throw new Error(`${PACKAGES.join(' and ')} could not be fetched with npm`, { cause })
  }
}

module.exports = proxies
