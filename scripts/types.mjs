// Compiles the type tests with every TypeScript and every way of resolving modules that a user may
// have: `npm run test:types`.

import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const require = createRequire(import.meta.url)
const tests = fileURLToPath(new URL('../__test__/types', import.meta.url))
const compilers = ['typescript', 'typescript-6', 'typescript-7']

/** The ways to resolve modules; plain CommonJS goes by another name since TypeScript 6. */
function settings(version) {
  const node10 = version.startsWith('5.') ? ['--moduleResolution', 'node10'] : []
  return [
    ['node16', ['-p', tests, '--module', 'node16', '--moduleResolution', 'node16']],
    ['nodenext', ['-p', tests]],
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
process.exitCode = failed === 0 ? 0 : 1
