// Writes what must be equal everywhere: the version, and the packages of the prebuilt binaries, from
// package.json into Cargo.toml, npm/*/package.json, package-lock.json and package.json itself.
// `npm version` calls it; `--check` only names the files that would change.

import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'

const root = fileURLToPath(new URL('..', import.meta.url))
const check = process.argv.includes('--check')
const different = []

const manifest = json('package.json')
const { version } = manifest
const platforms = manifest.napi.targets.map(platformOf)

for (const platform of platforms) {
  mkdirSync(join(root, 'npm', platform.name), { recursive: true })
  put(`npm/${platform.name}/package.json`, packageOf(platform))
}
for (const folder of readdirSync(join(root, 'npm'))) {
  if (!platforms.some(({ name }) => name === folder)) different.push(`npm/${folder} (no target)`)
}

const optionalDependencies = Object.fromEntries(
  platforms.map(({ name }) => [`hyco-rs-${name}`, version]).sort(byName),
)
put('package.json', { ...manifest, optionalDependencies })
put('package-lock.json', lockFile(json('package-lock.json')))

putText('Cargo.toml', (text) =>
  text
    .replace(/(\[workspace\.package\][^[]*?\nversion = ")[^"]+/, `$1${version}`)
    .replace(/(path = "crates\/\w+", version = ")[^"]+/g, `$1${version}`),
)
putText('Cargo.lock', (text) =>
  text.replace(/(name = "hyco-[a-z]+"\nversion = ")[^"]+/g, `$1${version}`),
)

for (const name of different) console.error(`${check ? 'differs' : 'wrote'}: ${name}`)
process.exitCode = check && different.length > 0 ? 1 : 0

/** From the name of a target in Rust to the names of Node. */
function platformOf(target) {
  const [machine, , system, abi] = target.split('-')
  const cpu = { aarch64: 'arm64', x86_64: 'x64' }[machine]
  const os = { darwin: 'darwin', linux: 'linux', windows: 'win32' }[system]
  const libc = { gnu: 'glibc', musl: 'musl' }[abi]
  return { name: [os, cpu, abi].filter(Boolean).join('-'), cpu, os, libc }
}

function packageOf({ name, cpu, os, libc }) {
  const binary = `hyco-rs.${name}.node`
  return {
    name: `hyco-rs-${name}`,
    version,
    description: `The binary of hyco-rs for ${name}`,
    license: manifest.license,
    homepage: manifest.homepage,
    repository: { ...manifest.repository, directory: `npm/${name}` },
    engines: manifest.engines,
    main: binary,
    files: [binary, 'THIRD-PARTY-NOTICES.txt'],
    os: [os],
    cpu: [cpu],
    ...(os === 'linux' && { libc: [libc] }),
  }
}

/**
 * The entries of packages that may not be published yet. Without them `npm ci` refuses the lock file;
 * with them it leaves out what it does not find, since they are optional.
 */
function lockFile(lock) {
  const packages = Object.entries(lock.packages).filter(
    ([name]) => !name.startsWith('node_modules/hyco-rs-'),
  )
  for (const platform of platforms) {
    const { name, license, engines, os, cpu, libc } = packageOf(platform)
    const entry = { version, cpu, license, optional: true, os, engines, libc }
    packages.push([`node_modules/${name}`, entry])
  }
  const { '': own, ...others } = Object.fromEntries(packages)
  return {
    ...lock,
    version,
    packages: {
      '': { ...own, version, optionalDependencies, engines: manifest.engines },
      ...Object.fromEntries(Object.entries(others).sort(byName)),
    },
  }
}

function byName([a], [b]) {
  return a.localeCompare(b, 'en')
}

function json(name) {
  return JSON.parse(readFileSync(join(root, name), 'utf8'))
}

/** Writes an object, unless the file says the same already, in whatever order. */
function put(name, value) {
  const wanted = JSON.parse(JSON.stringify(value))
  let found
  try {
    found = json(name)
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
  }
  if (isDeepStrictEqual(found, wanted)) return
  different.push(name)
  if (!check) writeFileSync(join(root, name), `${JSON.stringify(wanted, null, 2)}\n`)
}

function putText(name, change) {
  const found = readFileSync(join(root, name), 'utf8')
  const wanted = change(found)
  if (found === wanted) return
  different.push(name)
  if (!check) writeFileSync(join(root, name), wanted)
}
