'use strict'

const assert = require('node:assert/strict')
const { readFileSync } = require('node:fs')
const { join } = require('node:path')
const { test } = require('node:test')

const records = require('../lib/hub/records')

const TIMEOUT = { timeout: 60_000 }

/** The text of a file of the native side. */
function source(...path) {
  return readFileSync(join(__dirname, '..', ...path), 'utf8')
}

/** The numbers of a module of constants, by name. */
function constants(text, module) {
  const start = text.indexOf(`pub mod ${module} {`)
  const block = text.slice(start, text.indexOf('\n}', start))
  const found = block.matchAll(/pub const (\w+): u32 = (.+);/g)
  return Object.fromEntries(Array.from(found, ([, name, value]) => [name, number(value)]))
}

/** One constant. */
function constant(text, name) {
  return number(text.match(new RegExp(`const ${name}: \\w+ = (.+);`))[1])
}

function number(text) {
  const [, left, , right] = text.match(/^(\w+)(?: (<<|\*) (\w+))?$/)
  const first = Number(left.replaceAll('_', ''))
  if (right === undefined) return first
  return text.includes('<<') ? first << Number(right) : first * Number(right)
}

test('the kinds of record are those of the native side', TIMEOUT, () => {
  const kinds = constants(source('crates', 'hub', 'src', 'record.rs'), 'kind')
  assert.equal(Object.keys(kinds).length, 14)
  for (const [name, value] of Object.entries(kinds)) assert.equal(records[name], value, name)
})

test('the stamp is that of the records and of the types of the boundary', TIMEOUT, async () => {
  const { stampText } = await import('../scripts/stamp.mjs')
  assert.equal(source('native', 'stamp.js'), stampText(), "'npm run build' writes it")
})

test('the flags of a frame are those of the native side', TIMEOUT, () => {
  const { LENGTH, ...flags } = constants(source('crates', 'hub', 'src', 'ring.rs'), 'flag')
  assert.equal(Object.keys(flags).length, 5)
  for (const [name, value] of Object.entries(flags)) assert.equal(records[name], value, name)
  assert.ok(LENGTH > 4 * 1024)
})

test('layouts and sizes are those of the native side', TIMEOUT, () => {
  const record = source('crates', 'hub', 'src', 'record.rs')
  const fields = record.match(/pub struct Record \{([^}]*)\}/)[1].match(/pub \w+: u32/g)
  assert.equal(fields.length, records.RECORD_WORDS)
  const slab = source('crates', 'hub', 'src', 'slab.rs').match(/pub const SIZE: usize = (.+);/)[1]
  assert.equal(records.STAGE_BYTES, number(slab))
  const inline = constant(source('src', 'hub', 'sending.rs'), 'INLINE_CONNECTIONS')
  assert.ok(records.RESULT_PAIRS >= inline)
  const bits = constant(source('crates', 'hub', 'src', 'links.rs'), 'NUMBER_BITS')
  assert.match(source('lib', 'hub', 'link.js'), new RegExp(`NUMBERS = 2 \\*\\* ${bits}\n`))
})
