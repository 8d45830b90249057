'use strict'

const { execFileSync } = require('node:child_process')
const { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')

const HYCO_WS = 'hyco-ws@1.0.5'
const DEPENDENCIES = ['ws@1.1.5', 'moment@2.30.1']

/**
 * The package that this one replaces, in the system's temporary folder. It cannot be installed by
 * name, since one of its dependencies has no version in the registry; so it is unpacked beside those
 * that it uses. It is kept there for the next run.
 *
 * @return {Object} What `require('hyco-ws')` gives
 * @throws {Error} when it cannot be fetched: a run without it proves nothing about it
 */
function hycoWs() {
  const home = join(tmpdir(), 'hyco-rs-test-hyco-ws-1.0.5')
  if (!existsSync(join(home, 'package.json'))) install(home)
  return require(join(home, 'node_modules', 'hyco-ws'))
}

/**
 * @param {String} home The folder, made whole before it gets this name
 */
function install(home) {
  const folder = mkdtempSync(join(tmpdir(), 'hyco-rs-test-'))
  const npm = (...args) =>
    execFileSync('npm', [...args, '--loglevel=error', '--no-audit', '--no-fund'], {
      cwd: folder,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
      timeout: 120_000,
    })
  try {
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
    npm('install', '--ignore-scripts', ...DEPENDENCIES)
    const [{ filename }] = JSON.parse(npm('pack', '--json', HYCO_WS))
    const target = join(folder, 'node_modules', 'hyco-ws')
    mkdirSync(target)
    execFileSync('tar', ['-xzf', filename, '-C', target, '--strip-components=1'], { cwd: folder })
    renameSync(folder, home)
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    if (existsSync(join(home, 'package.json'))) return
    throw new Error(
      `${HYCO_WS} could not be fetched with npm, and the tests of interoperation need it`,
      { cause: error },
    )
  }
}

module.exports = hycoWs
