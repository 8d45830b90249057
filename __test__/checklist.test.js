'use strict'

const assert = require('node:assert/strict')
const { readFileSync, readdirSync } = require('node:fs')
const { join } = require('node:path')
const { test } = require('node:test')

const root = join(__dirname, '..')

/** Every file below a folder. */
function files(folder) {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    return entry.isDirectory() ? files(path) : path
  })
}

/** The numbers in the names of tests: `fn …_e32_e33()`, and `it('… (E32, E33)'`, `row('…'`. */
function named() {
  const numbers = new Set()
  const crates = readdirSync(join(root, 'crates')).map((name) => join('crates', name))
  for (const file of crates.flatMap(files).filter((path) => path.endsWith('.rs'))) {
    for (const [, name] of readFileSync(join(root, file), 'utf8').matchAll(/\bfn (\w+)\(/g)) {
      for (const [, number] of name.matchAll(/_([ce]\d+)(?=_|$)/g)) {
        numbers.add(number.toUpperCase())
      }
    }
  }
  for (const file of files('__test__').filter((path) => path.endsWith('.js'))) {
    const text = readFileSync(join(root, file), 'utf8')
    for (const [, title] of text.matchAll(/\b(?:describe|it|row|test)\(\s*(['"`].*)/g)) {
      for (const [number] of title.matchAll(/\b[CE]\d+\b/g)) numbers.add(number)
    }
  }
  return numbers
}

test('tests name the lines of docs/protocol.md, 8, and no others', { timeout: 300_000 }, () => {
  const checklist = readFileSync(join(root, 'docs', 'protocol.md'), 'utf8').split('## 8. ')[1]
  const lines = new Set([...checklist.matchAll(/^- ([CE]\d+) /gm)].map(([, number]) => number))
  assert.ok(lines.size > 120, `${lines.size} lines`)
  const tests = named()
  assert.deepEqual(
    [...lines].filter((number) => !tests.has(number)),
    [],
    'lines without a test',
  )
  const unknown = [...tests].filter((number) => !lines.has(number))
  assert.deepEqual(unknown, [], 'numbers that the checklist does not have')
  for (let number = 1; number <= 71; number++) assert.ok(lines.has(`E${number}`), `E${number}`)
})
