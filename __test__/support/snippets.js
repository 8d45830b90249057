'use strict'

// The fenced code of the documents, and how it is to be run. A comment right above a block says it, since
// pages do not show comments:
//
// no comment                              a program, which ends by itself
// <!-- snippet: serves -->                a program that listens, until it is ended
// <!-- snippet: test -->                  a file of tests for node:test
// <!-- snippet: jest -->                  a file of tests for Jest, in CommonJS
// <!-- snippet: given hyco, relay -->     lines of a program that has these names already
// <!-- snippet: only read -->             a configuration file or the like, whose syntax is checked

const { readFileSync, readdirSync } = require('node:fs')
const { join } = require('node:path')

const root = join(__dirname, '..', '..')

const BLOCK = /(?:^<!-- snippet: (.*) -->\n\n)?^```(\w+)\n([^]*?)^```$/gm

/**
 * @param {String} page Its path from the root of the package
 * @return {Object[]} The blocks of a page: `language`, `text`, `how` (what the comment says, or `''`) and
 *     `line`, at which the block begins
 */
function snippetsOf(page) {
  const text = readFileSync(join(root, page), 'utf8')
  return Array.from(text.matchAll(BLOCK), ([all, how = '', language, body], i) => ({
    how,
    i,
    language,
    line: lineOf(text, text.indexOf(all) + all.indexOf('```')),
    page,
    text: body,
  }))
}

function lineOf(text, index) {
  return text.slice(0, index).split('\n').length
}

/** @return {String[]} README.md and the pages of docs/ */
function pages() {
  const docs = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'))
  return ['README.md', ...docs.map((name) => `docs/${name}`)]
}

module.exports = { pages, snippetsOf }
