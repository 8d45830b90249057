'use strict'

const { version } = require('../../package.json')
const { COMMANDS, findCommand } = require('./commands')
const { Failure, exitOf, usageError } = require('./failure')
const { commandHelp, programHelp } = require('./help')
const { nearest } = require('./nearest')
const { parse } = require('./parse')
const { Terminal, endWithReader } = require('./terminal')

/**
 * Runs the program.
 *
 * @param {String[]} argv The arguments
 * @return {Promise<Number>} The exit code
 */
async function main(argv) {
  // The parser may be what fails, so it is not asked.
  const terminal = new Terminal({ json: argv.includes('--json') })
  endWithReader(terminal)
  try {
    return await run(argv)
  } catch (error) {
    return report(error, terminal)
  }
}

/**
 * @param {String[]} argv
 * @return {Promise<Number>}
 */
async function run([name, ...rest]) {
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    const command = rest[0] === undefined ? undefined : getCommand(rest[0])
    if (command?.raw) return command.run()(['--help'])
    process.stdout.write(command === undefined ? programHelp() : commandHelp(command))
    return name === undefined ? 2 : 0
  }
  if (name === '--version' || name === '-v') {
    process.stdout.write(`${version}\n`)
    return 0
  }
  const command = getCommand(name)
  if (command.raw) return command.run()(rest)
  const { values, positionals } = parse(command, rest)
  if (values.help) {
    process.stdout.write(commandHelp(command))
    return 0
  }
  return command.run()(values, positionals, new Terminal(values))
}

/**
 * @param {String} name
 * @return {Object} The command
 * @throws {Failure} that names the nearest one
 */
function getCommand(name) {
  const command = findCommand(name)
  if (command !== undefined) return command
  const names = COMMANDS.map((command) => command.name)
  const meant = nearest(name, names)
  throw usageError(
    name.startsWith('-')
      ? `The command comes first, before the option ${name}.`
      : `There is no command '${name}'.`,
    meant === undefined ? `The commands are ${names.join(', ')}.` : `Did you mean ${meant}?`,
  )
}

/**
 * Tells an error.
 *
 * @param {Error} error
 * @param {Terminal} terminal
 * @return {Number} The exit code
 */
function report(error, terminal) {
  const exit = exitOf(error)
  const known = error instanceof Failure || typeof error.code === 'string'
  if (!known) {
    terminal.error(error.stack ?? String(error), 'This is a fault of hyco-rs. Please report it.')
  } else if (terminal.json) {
    const { code, hint, message, statusCode, trackingId } = error
    const told = { error: { message, code, statusCode, trackingId, hint, exitCode: exit.code } }
    process.stderr.write(`${JSON.stringify(told)}\n`)
  } else {
    terminal.error(error.message, error.message.includes(error.hint) ? undefined : error.hint)
  }
  return exit.code
}

module.exports = { main }
