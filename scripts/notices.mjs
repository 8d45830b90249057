// Writes the licences of what is compiled into the binary: THIRD-PARTY-NOTICES.txt in each folder of
// npm/, where it is packed beside it. `node scripts/notices.mjs PLATFORM...`.

import { spawnSync } from 'node:child_process'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const { napi } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const TEXTS = /^(licen[cs]e|copying|notice|unlicense)/i

/**
 * @param {String} target The name of a target in Rust
 * @return {String} The notices of all crates that the addon has for it
 */
export function noticesFor(target) {
  const metadata = cargoMetadata(target)
  const crates = linked(metadata)
    .map((id) => metadata.packages.find((found) => found.id === id))
    .filter(({ source }) => source !== null)
    .sort((a, b) => a.name.localeCompare(b.name) || a.version.localeCompare(b.version))
  const head =
    'The binary of hyco-rs contains the Rust standard library (MIT OR Apache-2.0, ' +
    'https://github.com/rust-lang/rust) and the crates below. A text that several of them have ' +
    'stands once.\n'
  const byText = new Map()
  for (const crate of crates) {
    const text = textOf(crate)
    byText.set(text, [...(byText.get(text) ?? []), crate])
  }
  const sections = [...byText].map(
    ([text, found]) => `${found.map(lineOf).join('\n')}\n\n${text}\n`,
  )
  return [head, ...sections].join(`\n${'-'.repeat(80)}\n\n`)
}

function cargoMetadata(target) {
  const args = ['metadata', '--format-version', '1', '--locked', '--filter-platform', target]
  const { status, stdout } = spawnSync('cargo', args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (status !== 0) throw new Error(`cargo metadata ended with ${status}`)
  return JSON.parse(stdout)
}

/** What the addon needs to run: neither build scripts, nor macros, nor tests. */
function linked({ packages, resolve }) {
  const start = packages.find(({ name }) => name === 'hyco-rs').id
  const isMacro = (id) =>
    packages
      .find((found) => found.id === id)
      .targets.some(({ kind }) => kind.includes('proc-macro'))
  const seen = new Set()
  const visit = (id) => {
    if (seen.has(id) || isMacro(id)) return
    seen.add(id)
    for (const { pkg, dep_kinds } of resolve.nodes.find((node) => node.id === id).deps) {
      if (dep_kinds.some(({ kind }) => kind === null)) visit(pkg)
    }
  }
  visit(start)
  return [...seen]
}

function lineOf({ name, version, license, repository }) {
  return [`${name} ${version}`, license, repository].filter(Boolean).join(', ')
}

/** The licence files of a crate; of several that it offers, one is enough: that of MIT. */
function textOf({ name, authors, manifest_path }) {
  const folder = dirname(manifest_path)
  const files = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && TEXTS.test(entry.name))
    .map((entry) => entry.name)
  const mit = files.filter((file) => /mit/i.test(file) || /^notice/i.test(file))
  const chosen = mit.some((file) => /mit/i.test(file)) ? mit : files
  if (chosen.length === 0) return `Copyright ${authors.join(', ') || `the authors of ${name}`}`
  return chosen.map((file) => readFileSync(join(folder, file), 'utf8').trim()).join('\n\n')
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const platform of process.argv.slice(2)) {
    const [system, cpu, abi] = platform.split('-')
    const machine = { arm64: 'aarch64', x64: 'x86_64' }[cpu]
    const names = { darwin: 'apple-darwin', linux: `unknown-linux-${abi}` }
    const target = `${machine}-${names[system] ?? `pc-windows-${abi}`}`
    if (!napi.targets.includes(target)) throw new Error(`there is no platform ${platform}`)
    const text = noticesFor(target)
    writeFileSync(join(root, 'npm', platform, 'THIRD-PARTY-NOTICES.txt'), text)
    console.log(`notices: ${platform}: ${(text.length / 1024).toFixed()} KiB`)
  }
}
