// Changes the sources of lib/ in one place at a time, and tells which changes no test notices.
//
//   node scripts/mutate.mjs [--sample 5] lib/socket/held.js -- __test__/socket-held.test.js
//
// Everything before `--` is a file to change, everything after it a test file to run; the quickest one
// stands first. A change that survives is printed. It takes as long as the tests, times the number of
// changes, of which `--sample` takes so many of each file: not for CI.

import { readFileSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import { parseArgs } from 'node:util'

import { passes as pass } from './tests-alone.mjs'

/** What is replaced by what. Each match is one mutation. */
const MUTATIONS = [
  [/ === /g, ' !== '],
  [/ !== /g, ' === '],
  [/ > /g, ' <= '],
  [/ >= /g, ' < '],
  [/ < /g, ' >= '],
  [/ <= /g, ' > '],
  [/ && /g, ' || '],
  [/ \|\| /g, ' && '],
  [/ \?\? /g, ' && '],
  [/\btrue\b/g, 'false'],
  [/\bfalse\b/g, 'true'],
  [/ \+= /g, ' -= '],
  [/ -= /g, ' += '],
  [/\+\+/g, '--'],
  [/\bif \(/g, 'if (!'],
  // A statement that only has an effect is left out.
  [/^ +(?:this|core|held)[.#\w?]*\([^\n]*\)$/gm, ''],
]

const separator = process.argv.indexOf('--')
const { values, positionals: files } = parseArgs({
  args: process.argv.slice(2, separator),
  allowPositionals: true,
  options: { sample: { type: 'string', default: 'Infinity' } },
})
const tests = process.argv.slice(separator + 1)
if (separator < 3 || files.length === 0 || tests.length === 0) {
  console.error('usage: node scripts/mutate.mjs [--sample N] FILE... -- TEST...')
  process.exit(2)
}

async function passes() {
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined }
  for (const test of tests) {
    if (!(await pass(process.execPath, ['--test', test], { env }))) return false
  }
  return true
}

/** So many of a list, evenly spread. */
function sample(list) {
  const count = Math.min(Number(values.sample), list.length)
  return Array.from(
    { length: count },
    (_, at) => list[Math.floor(((at + 0.5) * list.length) / count)],
  )
}

/** All variants of a text that differ in one place, outside of comments. */
function* mutants(text) {
  for (const [pattern, replacement] of MUTATIONS) {
    for (const { 0: found, index } of text.matchAll(pattern)) {
      const start = text.lastIndexOf('\n', index) + 1
      const end = text.indexOf('\n', index)
      if (/^\s*(\/\/|\*|\/\*)/.test(text.slice(start, end))) continue
      let changed = replacement
      let length = found.length
      if (found.startsWith('if (')) {
        const close = closing(text, index + 3)
        changed = `if (!(${text.slice(index + 4, close)}))`
        length = close + 1 - index
      }
      const line = text.slice(0, index).split('\n').length
      yield {
        line,
        what: `${found.trim()} -> ${changed.trim() || 'nothing'}`,
        text: text.slice(0, index) + changed + text.slice(index + length),
      }
    }
  }
}

/** Where the parenthesis that opens there is closed. */
function closing(text, open) {
  let depth = 0
  for (let at = open; ; at++) {
    if (text[at] === '(') depth++
    else if (text[at] === ')' && --depth === 0) return at
  }
}

if (!(await passes())) {
  console.error('the tests fail without a mutation')
  process.exit(1)
}
let tried = 0
let survived = 0
for (const file of files) {
  const original = readFileSync(file, 'utf8')
  const restore = () => writeFileSync(file, original)
  process.once('exit', restore)
  try {
    for (const { line, what, text } of sample([...mutants(original)])) {
      writeFileSync(file, text)
      tried++
      if (!(await passes())) continue
      survived++
      console.log(`${file}:${line}: ${what}`)
    }
  } finally {
    restore()
    process.off('exit', restore)
  }
}
console.log(`${survived} of ${tried} survived`)
