'use strict'

const { parseArgs } = require('node:util')

const { usageError } = require('./failure')
const { nearest } = require('./nearest')

/**
 * Reads the arguments of a command as its definition says.
 *
 * @param {Object} command A definition of `commands.js`
 * @param {String[]} argv What follows the command's name
 * @return {Object} `values`, by the names of the options in camel case, and `positionals`
 * @throws {Failure} that names the argument which cannot be used
 */
function parse(command, argv) {
  const { options, positionals: wanted } = command
  const known = Object.fromEntries(
    Object.entries(options).map(([name, { short, type }]) => [
      name,
      short === undefined ? { type } : { short, type },
    ]),
  )
  // Not strict: the messages of parseArgs name neither the command nor what was meant.
  const { tokens } = parseArgs({
    args: argv,
    options: known,
    allowPositionals: true,
    strict: false,
    tokens: true,
  })
  const values = {}
  const positionals = []
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value)
    else if (token.kind === 'option') setOption(values, command, token)
  }
  if (!values.help) checkPositionals(command, wanted, positionals)
  return { values, positionals }
}

/**
 * @param {Object} values Receives the value
 * @param {Object} command
 * @param {Object} token An option, as parseArgs found it
 */
function setOption(values, command, { name, rawName, value, inlineValue }) {
  const { options } = command
  const option = Object.hasOwn(options, name) ? options[name] : undefined
  if (option === undefined) {
    const meant = nearest(name, Object.keys(options))
    throw usageError(
      `'${command.name}' has no option ${rawName}.`,
      meant === undefined
        ? `'hyco-rs ${command.name} --help' lists its options.`
        : `Did you mean --${meant}?`,
    )
  }
  if (option.type === 'boolean') {
    if (value !== undefined) throw usageError(`${rawName} takes no value.`)
    values[camelCase(name)] = true
    return
  }
  if (value === undefined || value === '') {
    throw usageError(`${rawName} needs a value: ${rawName} ${option.value}`)
  }
  if (!inlineValue && value.startsWith('--') && Object.hasOwn(options, value.slice(2))) {
    throw usageError(
      `${rawName} needs a value, and the option ${value} follows it.`,
      `Write ${rawName}=${option.value} if the value begins with dashes.`,
    )
  }
  if (option.choices !== undefined && !option.choices.includes(value)) {
    throw usageError(`${rawName} cannot be '${value}'.`, `Choose one of ${list(option.choices)}.`)
  }
  const read = option.read === undefined ? value : option.read(value, rawName)
  const key = camelCase(name)
  if (option.multiple) (values[key] ??= []).push(read)
  else if (key in values) throw usageError(`${rawName} is given twice.`)
  else values[key] = read
}

/**
 * @param {Object} command
 * @param {Object[]} wanted
 * @param {String[]} given
 */
function checkPositionals(command, wanted, given) {
  const needed = wanted.filter(({ optional }) => !optional)
  if (given.length < needed.length) {
    const { name, description } = wanted[given.length]
    throw usageError(
      `'${command.name}' needs ${name}: ${description}`,
      `'hyco-rs ${command.name} --help' shows examples.`,
    )
  }
  const most = wanted.at(-1)?.variadic ? Infinity : wanted.length
  if (given.length > most) {
    throw usageError(
      `'${command.name}' does not know what to do with '${given[most]}'.`,
      `Put quotes around a value with blanks. 'hyco-rs ${command.name} --help' shows examples.`,
    )
  }
  wanted.forEach(({ name, choices }, i) => {
    if (choices === undefined || given[i] === undefined || choices.includes(given[i])) return
    const meant = nearest(given[i], choices)
    throw usageError(
      `${name} cannot be '${given[i]}'.`,
      meant === undefined ? `Choose one of ${list(choices)}.` : `Did you mean ${meant}?`,
    )
  })
}

/**
 * @param {String} name As it is typed
 * @return {String} As it is a property
 */
function camelCase(name) {
  return name.replace(/-(\w)/g, (_, letter) => letter.toUpperCase())
}

/**
 * @param {String[]} names
 * @return {String}
 */
function list(names) {
  return `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`
}

module.exports = { parse }
