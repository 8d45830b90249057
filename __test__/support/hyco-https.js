'use strict'

const { execFileSync } = require('node:child_process')
const { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')

const HYCO_HTTPS = 'hyco-https@1.4.5'
const DEPENDENCIES = ['ws@6.2.3', 'moment@2.30.1']

/**
 * The package that `hyco-rs/https` replaces, in the system's temporary folder, unpacked beside those
 * that it uses: its other dependencies are modules of Node.
 *
 * It changes `node:https` when it is loaded, so only its helpers are given, out of a thread of its own.
 *
 * @return {Object} Its helpers
 * @throws {Error} when it cannot be fetched
 */
function hycoHttps() {
  const names = [
    'createRelayHttpsUri',
    'createRelaySendUri',
    'createRelayListenUri',
    'createRelayToken',
  ]
  const call = (name, args) => {
    const program = `console.log(require(process.argv[1])[${JSON.stringify(name)}](...JSON.parse(process.argv[2])))`
    const given = [home(), JSON.stringify(args)]
    return execFileSync(process.execPath, ['-e', program, ...given], { encoding: 'utf8' }).trimEnd()
  }
  return Object.fromEntries(names.map((name) => [name, (...args) => call(name, args)]))
}

/** @return {String} Where the package is */
function home() {
  const folder = join(tmpdir(), 'hyco-rs-test-hyco-https-1.4.5')
  if (!existsSync(join(folder, 'package.json'))) install(folder)
  return join(folder, 'node_modules', 'hyco-https')
}

/**
 * @param {String} target The folder, made whole before it gets this name
 */
function install(target) {
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
    const [{ filename }] = JSON.parse(npm('pack', '--json', HYCO_HTTPS))
    const unpacked = join(folder, 'node_modules', 'hyco-https')
    mkdirSync(unpacked)
    execFileSync('tar', ['-xzf', filename, '-C', unpacked, '--strip-components=1'], { cwd: folder })
    renameSync(folder, target)
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    if (existsSync(join(target, 'package.json'))) return
    throw new Error(`${HYCO_HTTPS} could not be fetched with npm, and its tests need it`, {
      cause: error,
    })
  }
}

module.exports = Object.assign(hycoHttps, { home })
