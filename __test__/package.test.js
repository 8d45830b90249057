'use strict'

const assert = require('node:assert/strict')
const { execFileSync, spawnSync } = require('node:child_process')
const { readFileSync, readdirSync } = require('node:fs')
const { join, relative } = require('node:path')
const { describe, it } = require('node:test')

const manifest = require('../package.json')

const TIMEOUT = { timeout: 300_000 }

const root = join(__dirname, '..')
const read = (...path) => readFileSync(join(root, ...path), 'utf8')

describe('the package', TIMEOUT, () => {
  it('has one version, and the same platforms, everywhere', () => {
    const args = [join(root, 'scripts', 'versions.mjs'), '--check']
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    assert.equal(status, 0, `run 'node scripts/versions.mjs': ${stderr}`)
    assert.match(read('native', 'binding.js'), new RegExp(`expected ${manifest.version} but`))
    assert.match(read('Cargo.toml'), new RegExp(`\nversion = "${manifest.version}"`))
  })

  it('has an optional dependency for each platform, of its own version', () => {
    const names = readdirSync(join(root, 'npm')).map((name) => `hyco-rs-${name}`)
    assert.deepEqual(Object.keys(manifest.optionalDependencies), names.sort())
    for (const range of Object.values(manifest.optionalDependencies)) {
      assert.equal(range, manifest.version)
    }
  })

  it('has one folder for each target, named as the loader looks for it', () => {
    assert.equal(readdirSync(join(root, 'npm')).length, manifest.napi.targets.length)
    for (const folder of readdirSync(join(root, 'npm'))) {
      const { name, main, files } = JSON.parse(read('npm', folder, 'package.json'))
      assert.equal(name, `hyco-rs-${folder}`)
      assert.equal(main, `hyco-rs.${folder}.node`)
      assert.deepEqual(files, [main, 'THIRD-PARTY-NOTICES.txt'])
      assert.ok(read('native', 'binding.js').includes(`require('${name}')`), name)
    }
  })

  it('depends on ws and its types alone', () => {
    assert.deepEqual(Object.keys(manifest.dependencies).sort(), ['@types/ws', 'ws'])
    for (const range of Object.values(manifest.dependencies)) assert.match(range, /^\^8\./)
  })

  it('has no source file of more than 400 lines', () => {
    const crates = readdirSync(join(root, 'crates')).map((name) => join('crates', name, 'src'))
    let count = 0
    for (const folder of ['bin', 'lib', 'src', 'scripts', ...crates]) {
      for (const name of readdirSync(join(root, folder), { recursive: true })) {
        if (!/\.(?:m?js|rs|sh)$/.test(name)) continue
        const lines = read(folder, name).split('\n').length - 1
        assert.ok(lines <= 400, `${join(folder, name)} has ${lines}`)
        count++
      }
    }
    assert.ok(count > 300, String(count))
  })

  it('calls no script, in workflows and documents, that is not there', () => {
    const workflows = readdirSync(join(root, '.github', 'workflows'))
    const texts = [
      ...workflows.map((name) => read('.github', 'workflows', name)),
      ...['.ci/run', 'CONTRIBUTING.md', 'README.md', 'ARCHITECTURE.md'].map((name) => read(name)),
    ].join('\n')
    const called = [...texts.matchAll(/npm run ([a-z:-]+)/g)].map(([, name]) => name)
    assert.ok(called.length > 10)
    for (const name of called) assert.ok(name in manifest.scripts, `npm run ${name}`)
    for (const [, file] of texts.matchAll(/\b(scripts\/[\w-]+\.\w+)/g)) assert.ok(read(file), file)
  })

  it('locks no download address', () => {
    assert.doesNotMatch(read('package-lock.json'), /"resolved": "https?:/)
  })

  it('ships what it needs to run, and nothing else', () => {
    const output = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
      cwd: root,
      encoding: 'utf8',
      shell: process.platform === 'win32',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const packed = JSON.parse(output)
    const [{ files }] = Array.isArray(packed) ? packed : Object.values(packed)
    const paths = files
      .map(({ path }) => path)
      .filter((path) => !/^(LICENSE|README\.md)$/.test(path))
    const lib = readdirSync(join(root, 'lib'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) =>
        relative(root, join(entry.parentPath ?? entry.path, entry.name)).replaceAll('\\', '/'),
      )
    assert.deepEqual(
      paths.sort(),
      [
        'bin/hyco-rs.js',
        'crates/emulator/config.schema.json',
        'https.d.mts',
        'https.d.ts',
        'https.js',
        'https.mjs',
        'index.d.mts',
        'index.d.ts',
        'index.js',
        'index.mjs',
        ...lib,
        'native/binding.d.ts',
        'native/binding.js',
        'native/stamp.js',
        'package.json',
        'testing.d.mts',
        'testing.d.ts',
        'testing.js',
        'testing.mjs',
      ].sort(),
    )
  })
})

describe('the tests', TIMEOUT, () => {
  const files = readdirSync(__dirname, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith('.test.js'))

  it('each end in time: what stands at the top of a file has a timeout', () => {
    assert.ok(files.length > 15)
    for (const file of files) {
      const tops = read('__test__', file).match(/^(?:describe|it|test)\(.*$/gm) ?? []
      for (const top of tops) assert.match(top, /TIMEOUT|timeout/, file)
    }
  })

  it('are never skipped for good, nor put off', () => {
    for (const file of files) {
      assert.doesNotMatch(
        read('__test__', file),
        /\b(?:describe|it|test)\.(?:skip|only|todo)\(/,
        file,
      )
    }
  })
})
