'use strict'

const assert = require('node:assert/strict')
const { after, afterEach, describe, it } = require('node:test')
const differences = require('./differences')
const pairs = require('./pairs')
const { patience } = require('./watch')

/** How long a row may take; a busy machine may have to encrypt 48 MiB in it. */
const DEADLINE = 180_000

/** How long a row that must fail is given to hold after all. */
const CHANCE = 2000

/**
 * `HYCO_CONFORMANCE_PAIRS=ws` runs the rows over the pairs of `ws` with itself only, which shows
 * whether a row says the truth about `ws`; `=WsClient,RelayedSender` picks pairs by their class.
 */
function chosen() {
  const wanted = process.env.HYCO_CONFORMANCE_PAIRS
  if (!wanted) return Object.values(pairs)
  const names = wanted === 'ws' ? ['WsClient', 'WsServer'] : wanted.split(',')
  return names.map((name) => pairs[name])
}

/**
 * Runs a subject's rows over every pair, plain and over TLS.
 *
 * @param {String} subject What the rows are about
 * @param {Function} define Gets `row(sentence, [options], run)`. `options.role` restricts a row to
 *     sockets that a server accepted (`'server'`) or that a program opened (`'client'`),
 *     `options.masks` to sockets that mask what they send, `options.relayed` to relayed ones where
 *     they do more than `ws` does; `run` gets the pair and an array to which it may push functions
 *     to be called afterwards
 */
function table(subject, define) {
  const rows = []
  define((sentence, options, run) => {
    if (typeof options === 'function') rows.push({ sentence, run: options })
    else rows.push({ sentence, ...options, run })
  })
  const sentences = rows.map((row) => row.sentence)
  assert.equal(new Set(sentences).size, sentences.length, 'no sentence stands twice in a table')
  for (const Kind of chosen()) {
    for (const secure of [false, true]) {
      const pair = new Kind(secure)
      const applies = (row) =>
        ['role', 'masks', 'relayed'].every((key) => (row[key] ?? pair[key]) === pair[key])
      describe(`${subject}: ${pair.name}`, () => {
        afterEach(() => pair.sweep())
        after(() => pair.close())
        for (const row of rows.filter(applies)) {
          const reason = differences.reasonFor(pair.constructor.name, row.sentence)
          const name = reason ? `does not do this, ${reason}: ${row.sentence}` : row.sentence
          it(name, { timeout: DEADLINE }, () => (reason ? refute(row, pair) : run(row, pair)))
        }
      })
    }
  }
}

/** Runs a row, and what it wants to be done afterwards. */
async function run(row, pair) {
  const later = []
  try {
    await row.run(pair, later)
  } finally {
    for (const end of later) await end()
  }
}

/**
 * Runs a row that is listed as a difference: it has to fail, or the list is out of date. One that
 * waits for something that never comes has failed too.
 */
async function refute(row, pair) {
  let timer
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, CHANCE, false)
  })
  const held = run(row, pair).then(
    () => true,
    () => false,
  )
  const holds = await patience(CHANCE, () => Promise.race([held, late]))
  clearTimeout(timer)
  assert.equal(holds, false, 'it holds now: take it out of support/differences.js and of the docs')
}

module.exports = table
