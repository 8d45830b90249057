// Builds the addon into native/: `npm run build`, and `npm run build:debug`. Further arguments go to
// `napi build`, such as `-- --target aarch64-apple-darwin`.
//
// The types of the boundary are known only when it is compiled, and the binary carries their stamp. So a
// change of them takes a second run, in which the last crate alone is compiled.

import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { writeStamp } from './stamp.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const napi = join('node_modules', '.bin', 'napi')
const args = ['build', '--platform', '-o', 'native', '--js', 'binding.js', '--dts', 'binding.d.ts']

writeStamp()
build()
if (writeStamp()) {
  console.log('The types of the boundary have changed: building again, with their stamp.')
  build()
}

function build() {
  const options = { cwd: root, shell: process.platform === 'win32', stdio: 'inherit' }
  const { status, error } = spawnSync(napi, [...args, ...process.argv.slice(2)], options)
  if (error) console.error(`napi cannot be run, 'npm ci' installs it: ${error.message}`)
  if (status !== 0) process.exit(status ?? 1)
}
