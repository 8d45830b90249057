'use strict'

const assert = require('node:assert/strict')
const { execFileSync } = require('node:child_process')
const { readFileSync, readdirSync } = require('node:fs')
const { join, relative } = require('node:path')
const { describe, it } = require('node:test')

const manifest = require('../package.json')

const root = join(__dirname, '..')
const read = (...path) => readFileSync(join(root, ...path), 'utf8')

describe('the package', () => {
  it('has one version everywhere', () => {
    const [, version] = /\[workspace\.package\][^[]*?\nversion = "([^"]+)"/.exec(read('Cargo.toml'))
    assert.equal(version, manifest.version, 'Cargo.toml')
    assert.equal(JSON.parse(read('package-lock.json')).version, manifest.version, 'lock file')
    for (const folder of readdirSync(join(root, 'npm'))) {
      assert.equal(
        JSON.parse(read('npm', folder, 'package.json')).version,
        manifest.version,
        folder,
      )
    }
  })

  it('has one folder for each target, named as the loader looks for it', () => {
    assert.equal(readdirSync(join(root, 'npm')).length, manifest.napi.targets.length)
    for (const folder of readdirSync(join(root, 'npm'))) {
      const { name, main, files } = JSON.parse(read('npm', folder, 'package.json'))
      assert.equal(name, `hyco-rs-${folder}`)
      assert.equal(main, `hyco-rs.${folder}.node`)
      assert.deepEqual(files, [main])
      assert.ok(read('native', 'binding.js').includes(`require('${name}')`), name)
    }
  })

  it('depends on ws and its types alone', () => {
    assert.deepEqual(Object.keys(manifest.dependencies).sort(), ['@types/ws', 'ws'])
    for (const range of Object.values(manifest.dependencies)) assert.match(range, /^\^8\./)
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
        'index.d.mts',
        'index.d.ts',
        'index.js',
        'index.mjs',
        ...lib,
        'native/binding.d.ts',
        'native/binding.js',
        'package.json',
      ].sort(),
    )
  })
})
