// Runs the tests of the examples and of the command line with an installed package, for `npm run pack -- --try`:
// each example and each command as a user has them, from what was packed, where there is no Rust.

import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const manifest = JSON.parse(fs.readFileSync(join(root, 'package.json'), 'utf8'))

/** What the tests need beside the package: themselves, what they run, and the page that they compare. */
const NEEDED = ['__test__', 'examples', 'docs/cli.md', 'docs/emulator.md']

/** What the examples and their tests are written with. */
const LIBRARIES = [
  'express',
  'fastify',
  'graphql',
  'graphql-ws',
  'hono',
  'koa',
  'socket.io',
  'socket.io-client',
  'typescript',
]

/**
 * @param {String} app A folder in which the package is installed
 * @param {Object} env The environment, without Rust
 * @return {{ok: Boolean, output: String}}
 */
export function tryTests(app, env) {
  const options = { cwd: app, env, encoding: 'utf8', shell: process.platform === 'win32' }
  // As in the clone: some releases of these ask for versions that do not exist.
  const file = join(app, 'package.json')
  const { overrides } = manifest
  fs.writeFileSync(file, JSON.stringify({ ...JSON.parse(fs.readFileSync(file)), overrides }))
  const wanted = LIBRARIES.map((name) => `${name}@${manifest.devDependencies[name]}`)
  const flags = ['--no-audit', '--no-fund', '--prefer-offline']
  const installed = spawnSync('npm', ['install', ...flags, ...wanted], options)
  if (installed.status !== 0) return { ok: false, output: installed.stderr }

  const home = join(app, 'node_modules', 'hyco-rs')
  for (const path of NEEDED) fs.cpSync(join(root, path), join(home, path), { recursive: true })
  const tests = ['examples.test.js', 'examples-http.test.js', 'cli'].flatMap((name) =>
    testsIn(name),
  )
  const { status, stdout, stderr } = spawnSync(
    'node',
    ['--test', '--test-concurrency=2', '--test-reporter=tap', ...tests],
    { ...options, cwd: home, timeout: 900_000, maxBuffer: 1 << 26 },
  )
  const counts = stdout.match(/^# (?:tests|pass|fail|skipped) \d+$/gm) ?? []
  const failed = stdout.match(/^ *not ok [^]*?\.\.\.$/gm) ?? []
  const output = [counts.join(', ').replaceAll('# ', ''), ...failed, stderr].join('\n').trim()
  return { ok: status === 0, output }
}

function testsIn(name) {
  const path = join('__test__', name)
  if (name.endsWith('.js')) return [path]
  return fs.readdirSync(join(root, path)).map((file) => join(path, file))
}
