// Builds the binaries that one Linux machine can build, into npm/*: `npm run build:platforms`, or only
// some with `-- linux-x64-gnu linux-arm64-gnu`. Those for Windows (msvc), which the release workflow
// builds, are only compiled for the other Windows ABI here, to see that they can be.
//
// zig links, so that a binary needs no newer glibc than it says; it comes from PyPI into target/. The
// standard library of a target that the toolchain does not have is built from its sources: rustup's
// component rust-src, or Debian's packages cargo-web, rustc-web and rust-web-src.

import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { checkArtifact } from './artifacts.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const home = join(root, 'target', 'platforms')
const python = join(home, 'python')

/** How each is built. Without `library` it is a check only, and nothing is kept. */
const PLATFORMS = {
  'linux-x64-gnu': { target: 'x86_64-unknown-linux-gnu', glibc: '2.17', library: 'libhyco_rs.so' },
  'linux-arm64-gnu': {
    target: 'aarch64-unknown-linux-gnu',
    glibc: '2.17',
    library: 'libhyco_rs.so',
  },
  'linux-x64-musl': { target: 'x86_64-unknown-linux-musl', library: 'libhyco_rs.so' },
  'linux-arm64-musl': { target: 'aarch64-unknown-linux-musl', library: 'libhyco_rs.so' },
  'darwin-arm64': { target: 'aarch64-apple-darwin', library: 'libhyco_rs.dylib' },
  'darwin-x64': { target: 'x86_64-apple-darwin', library: 'libhyco_rs.dylib' },
  'win32-x64-gnu': { target: 'x86_64-pc-windows-gnu' },
}

const chosen = process.argv.slice(2)
const unknown = chosen.filter((name) => !(name in PLATFORMS))
if (unknown.length > 0) {
  console.error(`unknown: ${unknown.join(', ')}; there are ${Object.keys(PLATFORMS).join(', ')}`)
  process.exit(1)
}

install()
const results = (chosen.length > 0 ? chosen : Object.keys(PLATFORMS)).map((name) => {
  const outcome = build(name, PLATFORMS[name])
  console.log(`platforms: ${name}: ${outcome}`)
  return outcome
})
process.exitCode = results.some((outcome) => outcome.startsWith('FAILED')) ? 1 : 0

/** zig and cargo-zigbuild, each at a known version. */
function install() {
  if (existsSync(join(python, 'bin', 'cargo-zigbuild'))) return
  must('python3', ['-m', 'venv', python])
  const pip = join(python, 'bin', 'pip')
  must(pip, ['install', '--quiet', 'ziglang==0.17.1', 'cargo-zigbuild==0.24.1'])
}

function build(name, { target, glibc, library }) {
  const toolchain = toolchainFor(target)
  if (toolchain === undefined) return 'SKIPPED, no toolchain has its standard library or sources'
  const args = [library ? 'build' : 'check', '--release', '--locked', '--package', 'hyco-rs']
  args.push('--target', glibc ? `${target}.${glibc}` : target, ...toolchain.args)
  const env = {
    ...process.env,
    ...toolchain.env,
    CARGO_TARGET_DIR: home,
    PATH: [join(python, 'bin'), ...toolchain.path, process.env.PATH].join(delimiter),
  }
  // A library for Node has to be loaded by a program that is linked dynamically.
  if (target.endsWith('musl')) env.RUSTFLAGS = '-Ctarget-feature=-crt-static'
  if (target.endsWith('windows-gnu')) env.LIBNODE_PATH = libnode()
  const { status } = spawnSync('cargo-zigbuild', args, { cwd: root, env, stdio: 'inherit' })
  if (status !== 0) return `FAILED, cargo ended with ${status}`
  if (library === undefined) return 'it compiles'
  const binary = join(root, 'npm', name, `hyco-rs.${name}.node`)
  copyFileSync(join(home, target, 'release', library), binary)
  return checkArtifact(name, binary)
}

/** What napi-build looks for and links with; a check links nothing, so an empty one will do. */
function libnode() {
  const folder = join(home, 'libnode')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'libnode.dll'), '')
  return folder
}

/** The toolchain of the PATH if it knows the target, else one that can build its library. */
function toolchainFor(target) {
  for (const path of [[], ['/usr/bin']]) {
    const env = { ...process.env, PATH: [...path, process.env.PATH].join(delimiter) }
    const { stdout } = spawnSync('rustc', ['--print', 'sysroot'], { env, encoding: 'utf8' })
    if (!stdout) continue
    const lib = join(stdout.trim(), 'lib', 'rustlib')
    if (existsSync(join(lib, target, 'lib'))) return { path, args: [], env: {} }
    if (existsSync(join(lib, 'src', 'rust', 'library'))) {
      const args = ['-Z', 'build-std=std,panic_unwind,panic_abort']
      return { path, args, env: { RUSTC_BOOTSTRAP: '1' } }
    }
  }
  return undefined
}

function must(command, args) {
  const { status } = spawnSync(command, args, { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}
