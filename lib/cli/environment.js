'use strict'

const { readFileSync } = require('node:fs')

const { usageError } = require('./failure')

/** A line `NAME=value`, perhaps with `export` before it. */
const LINE = /^\s*(?:export\s+)?([\w.-]+)\s*=\s*(.*?)\s*$/

/** A value in quotes, and what may follow it. */
const QUOTED = /^(["'`])(.*?)\1\s*(?:#.*)?$/

/**
 * The variables of the process, and those of a `.env` that the process does not have. An empty one
 * counts as none.
 *
 * @param {String} [file] A file that must be there; by default `.env`, which may be missing
 * @return {Object} From names to `{ value, from }`
 * @throws {Failure} where the file cannot be read
 */
function environment(file) {
  const variables = Object.create(null)
  for (const [name, value] of Object.entries(parseEnvFile(readEnvFile(file)))) {
    if (value !== '') variables[name] = { value, from: file ?? '.env' }
  }
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== '') variables[name] = { value, from: 'the environment' }
  }
  return variables
}

/**
 * @param {(String|undefined)} file
 * @return {String} Its text
 */
function readEnvFile(file) {
  try {
    return readFileSync(file ?? '.env', 'utf8')
  } catch (cause) {
    if (file === undefined && (cause.code === 'ENOENT' || cause.code === 'EISDIR')) return ''
    throw usageError(`The file ${file ?? '.env'} cannot be read: ${cause.message}`)
  }
}

/**
 * @param {String} text The text of a `.env`
 * @return {Object} Names and values
 */
function parseEnvFile(text) {
  const variables = Object.create(null)
  for (const line of text.split(/\r?\n/)) {
    const found = LINE.exec(line)
    if (found === null) continue
    const [, name, value] = found
    const quoted = QUOTED.exec(value)
    // A connection string has '#' nowhere, but a key in quotes may: only ' #' begins a comment.
    variables[name] = quoted === null ? value.replace(/(?:^|\s+)#.*$/, '') : quoted[2]
  }
  return variables
}

module.exports = { environment, parseEnvFile }
