'use strict'

const assert = require('node:assert/strict')
const { readFileSync, readdirSync } = require('node:fs')
const { join } = require('node:path')
const { describe, it } = require('node:test')
const semver = require('semver')

const { packages } = require('../package-lock.json')

describe('the versions of Node.js', { timeout: 300_000 }, () => {
  /** The packages that npm would warn of with that version. */
  const unfit = (version, installs) =>
    Object.entries(packages)
      .filter(([, { engines, optional, dev }]) => engines?.node && !optional && installs(dev))
      .filter(([, { engines }]) => !semver.satisfies(version, engines.node))
      .map(([name, { engines }]) => `${name} wants ${engines.node}`)

  it('that package.json allows suit what users install', () => {
    const { node } = packages[''].engines
    assert.deepEqual(
      unfit(semver.minVersion(node), (isDev) => !isDev),
      [],
    )
  })

  it('that package.json allows have all that the package calls', () => {
    // What came after 18.0, and was or could be used without a thought.
    const later =
      /\bcanParse\b|\.to(?:Sorted|Reversed|Spliced)\(|groupBy\(|withResolvers|fromAsync|AbortSignal\.any|Promise\.try|WellFormed\(/
    const folder = join(__dirname, '..', 'lib')
    const files = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith('.js'))
    assert.ok(files.length > 50, `${files.length} files`)
    const code = (name) =>
      readFileSync(join(folder, name), 'utf8').replace(/^\s*(?:\*|\/\/).*$/gm, '')
    assert.deepEqual(
      files.filter((name) => later.test(code(name))),
      [],
    )
  })

  it('that CONTRIBUTING.md asks for suit what contributors install', () => {
    const page = readFileSync(join(__dirname, '..', 'CONTRIBUTING.md'), 'utf8')
    const [, version] = /Node\.js ([\d.]+) or later/.exec(page)
    assert.deepEqual(
      unfit(semver.coerce(version), () => true),
      [],
    )
  })
})
