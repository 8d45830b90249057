// Compiles the type tests with every TypeScript and every way of resolving modules that a user may
// have, then asks attw and publint about the package: `npm run test:types`.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const require = createRequire(import.meta.url)
const root = fileURLToPath(new URL('..', import.meta.url))
const tests = join(root, '__test__', 'types')
const compilers = ['typescript', 'typescript-6', 'typescript-7']

/** The ways to resolve modules; plain CommonJS goes by another name since TypeScript 6. */
function settings(version) {
  const node10 = version.startsWith('5.') ? ['--moduleResolution', 'node10'] : []
  return [
    ['node16', ['-p', tests, '--module', 'node16', '--moduleResolution', 'node16']],
    ['nodenext', ['-p', tests]],
    // Where TypeScript is told nothing, streams and blobs are those of browsers.
    ['with browsers', ['-p', tests, '--lib', 'es2023,esnext.disposable,dom']],
    ['bundler', ['-p', tests, '--module', 'preserve', '--moduleResolution', 'bundler']],
    ['commonjs', ['-p', join(tests, 'commonjs'), ...node10]],
  ]
}

let failed = 0
for (const compiler of compilers) {
  const manifest = require.resolve(`${compiler}/package.json`)
  const { version } = require(manifest)
  for (const [name, options] of settings(version)) {
    const args = [join(dirname(manifest), 'bin', 'tsc'), ...options]
    const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' })
    console.log(`types, TypeScript ${version}, ${name}: ${status === 0 ? 'ok' : 'FAILED'}`)
    if (status !== 0) failed++
  }
}
for (const [name, run] of Object.entries({ attw, publint })) {
  const status = run()
  console.log(`types, ${name}: ${status === 0 ? 'ok' : 'FAILED'}`)
  if (status !== 0) failed++
}
process.exitCode = failed === 0 ? 0 : 1

/** Whether every way to resolve the packed package finds types that are true. */
function attw() {
  const folder = mkdtempSync(join(tmpdir(), 'hyco-rs-'))
  const pack = ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder]
  spawnSync('npm', pack, { cwd: root, shell: process.platform === 'win32' })
  const archives = readdirSync(folder).map((name) => join(folder, name))
  const status = archives.length === 1 ? tool('@arethetypeswrong/cli', 'attw', archives) : 1
  rmSync(folder, { recursive: true })
  return status
}

/** Whether package.json says what bundlers and runtimes understand. */
function publint() {
  return tool('publint', 'publint', ['--strict', root])
}

/** Runs a program of a package, and shows what it says when it fails. */
function tool(name, bin, args) {
  const folder = join(root, 'node_modules', name)
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const file = join(folder, typeof manifest.bin === 'string' ? manifest.bin : manifest.bin[bin])
  const { status, stdout } = spawnSync(process.execPath, [file, ...args], { encoding: 'utf8' })
  if (status !== 0) console.log(stdout)
  return status
}
