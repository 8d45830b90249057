'use strict'

const { execFileSync } = require('node:child_process')
const { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')

const kept = require('./kept')

/**
 * Packages of npm at known versions, in the system's temporary folder. They are kept there for the next
 * run. They are no dependencies, since nobody who installs this package should get them.
 *
 * @param {String[]} packages What is installed, as `name@version`
 * @param {Object} [options]
 * @param {String} [options.unpacked] A package that is unpacked beside the others and not installed,
 *     because its own dependencies cannot be
 * @return {String} The `node_modules` in which they are
 * @throws {Error} when they cannot be fetched: a run without them proves nothing
 */
function fetched(packages, { unpacked } = {}) {
  const name = [unpacked, ...packages].filter(Boolean).join('+').replaceAll('/', '-')
  const home = kept(name)
  if (!existsSync(home)) install(home, packages, unpacked)
  return join(home, 'node_modules')
}

/** Installs into a folder that gets its name when it is whole. */
function install(home, packages, unpacked) {
  const folder = mkdtempSync(join(tmpdir(), 'hyco-rs-test-'))
  const npm = (...args) =>
    execFileSync('npm', [...args, '--loglevel=error', '--no-audit', '--no-fund'], {
      cwd: folder,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
      timeout: 300_000,
    })
  try {
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
    npm('install', '--ignore-scripts', ...packages)
    if (unpacked) unpack(folder, npm, unpacked)
    renameSync(folder, home)
  } catch (cause) {
    rmSync(folder, { recursive: true, force: true })
    if (existsSync(home)) return // another process was faster
    const names = [unpacked, ...packages].filter(Boolean).join(', ')
    throw new Error(`${names} could not be fetched with npm, and the test needs it`, { cause })
  }
}

function unpack(folder, npm, source) {
  const [{ filename }] = JSON.parse(npm('pack', '--json', source))
  const target = join(folder, 'node_modules', source.slice(0, source.lastIndexOf('@')))
  mkdirSync(target)
  execFileSync('tar', ['-xzf', filename, '-C', target, '--strip-components=1'], { cwd: folder })
}

module.exports = fetched
