// Checks binaries before they are packed: that they are for their platform, how new a glibc they need,
// and their size. `node scripts/artifacts.mjs` checks those that lie in npm/*; `--all` demands each.

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** What the oldest supported system has: RHEL 7, and Node's own builds until version 16. */
const GLIBC = [2, 17]

/** More than a binary should ever take, in bytes; a debug build takes ten times as much. */
const SIZE = 8 * 1024 * 1024

/** What a binary of each system and processor begins with. */
const ELF = { x64: 62, arm64: 183 }
const MACHO = { x64: 0x0100_0007, arm64: 0x0100_000c }
const PE = { x64: 0x8664, arm64: 0xaa64 }

/**
 * @param {String} name The platform, `linux-x64-gnu` and so on
 * @param {String} file The binary
 * @return {String} `ok` with what was seen, or `FAILED` with the reason
 */
export function checkArtifact(name, file) {
  const bytes = readFileSync(file)
  const [system, cpu, abi] = name.split('-')
  const kind = `${(bytes.length / 1024 / 1024).toFixed(1)} MiB`
  if (bytes.length > SIZE) return `FAILED, ${kind} is more than ${SIZE / 1024 / 1024} MiB`
  if (!isFor(bytes, system, cpu)) return `FAILED, it is not for ${system} on ${cpu}`
  if (!bytes.includes('napi_register_module_v1')) return 'FAILED, it is no addon of Node'
  if (system !== 'linux') return `ok, ${kind}`

  const { stdout, error } = spawnSync('readelf', ['--wide', '--dynamic', '--version-info', file], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  })
  if (error) return `FAILED, readelf (binutils) is needed: ${error.message}`
  const needed = [...stdout.matchAll(/\(NEEDED\).*\[(.+)\]/g)].map(([, library]) => library)
  const versions = [...stdout.matchAll(/GLIBC_(\d+)\.(\d+)/g)].map(([, a, b]) => [+a, +b])
  const newest = versions.sort(([a, b], [c, d]) => c - a || d - b)[0]
  if (abi === 'musl') {
    return newest || !needed.includes('libc.so')
      ? `FAILED, it needs ${needed.join(', ')}`
      : `ok, ${kind}, needs ${needed.join(', ')}`
  }
  if (!newest) return 'FAILED, it does not say which glibc it needs'
  const isOlder = newest[0] < GLIBC[0] || (newest[0] === GLIBC[0] && newest[1] <= GLIBC[1])
  return `${isOlder ? 'ok' : 'FAILED'}, ${kind}, needs glibc ${newest.join('.')}`
}

function isFor(bytes, system, cpu) {
  if (system === 'linux') {
    return bytes.toString('latin1', 0, 4) === '\x7fELF' && bytes.readUInt16LE(18) === ELF[cpu]
  }
  if (system === 'darwin') {
    return bytes.readUInt32LE(0) === 0xfeedfacf && bytes.readUInt32LE(4) === MACHO[cpu]
  }
  const header = bytes.readUInt32LE(60)
  return bytes.toString('latin1', 0, 2) === 'MZ' && bytes.readUInt16LE(header + 4) === PE[cpu]
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const name of readdirSync(join(root, 'npm'))) {
    const file = join(root, 'npm', name, `hyco-rs.${name}.node`)
    const there = existsSync(file) && statSync(file).isFile()
    const outcome = there ? checkArtifact(name, file) : 'FAILED, it is missing'
    if (there || process.argv.includes('--all')) {
      console.log(`artifacts: ${name}: ${outcome}`)
      if (outcome.startsWith('FAILED')) process.exitCode = 1
    }
  }
}
