'use strict'

const assert = require('node:assert')
const fs = require('node:fs')
const path = require('node:path')
const { describe, it } = require('node:test')

const TIMEOUT = { timeout: 300_000 }

const root = path.join(__dirname, '..')
const CODE = /\bHYCO_ERR_[A-Z]+(?:_[A-Z]+)*\b/g

/**
 * @param {String} name A file, from the root of the package
 * @return {String}
 */
function read(name) {
  return fs.readFileSync(path.join(root, name), 'utf8')
}

/**
 * @param {String} text
 * @param {RegExp} [pattern] What to look for; its first group is the code, if it has one
 * @return {String[]} The codes in it, sorted, each once
 */
function codesIn(text, pattern = CODE) {
  const found = Array.from(text.matchAll(pattern), ([code, group]) => group ?? code)
  return [...new Set(found)].sort()
}

/**
 * @return {String[]} The codes that the sources make
 */
function codesOfSources() {
  const crates = fs.readdirSync(path.join(root, 'crates')).map((name) => `crates/${name}/src`)
  const texts = ['lib', 'src', ...crates].flatMap((folder) =>
    fs
      .readdirSync(path.join(root, folder), { recursive: true })
      .filter((name) => /\.(js|rs)$/.test(name))
      .map((name) => read(path.join(folder, name))),
  )
  return codesIn(texts.join('\n'))
}

/**
 * @return {String[]} The sections of docs/errors.md, one for each code
 */
function sections() {
  return read('docs/errors.md').split(/^## /m).slice(1)
}

describe('error codes', TIMEOUT, () => {
  it('are the same in the sources, in docs/errors.md and in index.d.ts', () => {
    const codes = codesOfSources()
    const [, union] = /type RelayErrorCode =([^}]*?)\n\n/.exec(read('index.d.ts'))
    assert.ok(codes.length > 0)
    assert.deepStrictEqual(codesIn(read('docs/errors.md'), /^## (HYCO_ERR_\w+)$/gm), codes)
    assert.deepStrictEqual(codesIn(union), codes)
  })

  it('are listed once each, in alphabetical order', () => {
    const headings = sections().map((section) => section.split('\n', 1)[0])
    assert.deepStrictEqual(headings, [...new Set(headings)].sort())
  })

  it('each have a text and say what carries them', () => {
    for (const section of sections()) {
      const [code, ...paragraphs] = section.trim().split(/\n\n/)
      assert.ok(paragraphs.length >= 2, `${code} has no text`)
      assert.match(paragraphs.at(-1), /^Carried by: ./, code)
    }
  })

  it('have the form HYCO_ERR_NAME wherever they are named', () => {
    const docs = fs.readdirSync(path.join(root, 'docs')).filter((name) => name.endsWith('.md'))
    const pages = ['README.md', 'ARCHITECTURE.md', ...docs.map((name) => `docs/${name}`)]
    const known = codesOfSources()
    for (const page of pages) {
      for (const code of codesIn(read(page))) assert.ok(known.includes(code), `${page}: ${code}`)
    }
  })
})
