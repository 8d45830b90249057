'use strict'

const { spawnSync } = require('node:child_process')
const { join } = require('node:path')

const BIN = join(__dirname, '..', '..', 'bin', 'hyco-rs.js')

/** An option at the beginning of its paragraph, as `-q, --silent` or `--port <PORT>`. */
const OPTION = /^ {2,6}(?:-(\w), )?--([\w-]+)(?: <([^>]+)>)?$/

/** One of the values that it may have. */
const CHOICE = /^ +- ([\w-]+):/

/**
 * The options of the local relay, in the form of those of `commands.js`. They are read from its own
 * help, since the program in Rust has their one definition.
 *
 * @return {Object} Empty where the relay cannot run
 */
function relayOptions() {
  const argv = [BIN, 'emulator', '--help']
  const { stdout } = spawnSync(process.execPath, argv, { encoding: 'utf8' })
  const options = {}
  let option
  for (const line of (stdout ?? '').split('\n')) {
    const found = OPTION.exec(line)
    const choice = CHOICE.exec(line)
    if (found !== null) {
      const [, short, name, value] = found
      option = { short, value, description: '', multiple: true }
      if (/^(?:FILE|FOLDER)$/.test(value)) option.complete = 'file'
      options[name] = option
    } else if (option !== undefined && choice !== null) {
      option.choices = [...(option.choices ?? []), choice[1]]
    } else if (option?.description === '') {
      option.description = line.trim()
    }
  }
  return options
}

module.exports = { relayOptions }
