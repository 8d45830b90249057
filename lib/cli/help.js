'use strict'

const { COMMANDS } = require('./commands')
const { EXIT } = require('./failure')

/** Columns of the text of `--help`. */
const WIDTH = 96

/**
 * @return {String} The help of the program
 */
function programHelp() {
  const rows = COMMANDS.map(({ name, summary }) => [name, summary])
  return [
    'Azure Relay Hybrid Connections from the command line.',
    '',
    'Usage: hyco-rs COMMAND [options]',
    '',
    'Commands:',
    table(rows),
    '',
    'Options:',
    table([
      ['-h, --help', 'Show this help; hyco-rs COMMAND --help shows that of a command.'],
      ['-v, --version', 'Show the version.'],
    ]),
    '',
    'Where to connect comes from the options, else from the variable HYCO_CONNECTION_STRING, else',
    'from SB_HC_NAMESPACE, SB_HC_PATH, SB_HC_KEYRULE and SB_HC_KEY; a file .env may hold them.',
    '',
  ].join('\n')
}

/**
 * @param {Object} command A definition
 * @return {String} Its help
 */
function commandHelp(command) {
  const { description, examples, options, positionals } = command
  const lines = [...wrap(description, WIDTH), '', `Usage: ${usage(command)}`]
  if (positionals.length > 0) {
    lines.push('', 'Arguments:', table(positionals.map((item) => [item.name, item.description])))
  }
  const rows = Object.entries(options).map((entry) => [flags(entry), optionText(entry[1])])
  lines.push('', 'Options:', table(rows))
  if (examples.length > 0) {
    lines.push('', 'Examples:')
    for (const [line, what] of examples) lines.push(`  ${line}`, `      ${what}`)
  }
  lines.push('', 'Exit codes:')
  const codes = Object.values(EXIT).map(({ code, meaning }) => [String(code), meaning])
  lines.push(table(codes), '')
  return lines.join('\n')
}

/**
 * @param {Object} command A definition
 * @return {String} How it is called
 */
function usage({ name, positionals }) {
  const words = positionals.map((item) => {
    const word = item.variadic ? `${item.name}...` : item.name
    return item.optional ? `[${word}]` : word
  })
  return ['hyco-rs', name, ...words, '[options]'].join(' ')
}

/**
 * @param {Array} entry Name and definition of an option
 * @return {String} As it is typed: `-p, --path NAME`
 */
function flags([name, { short, value }]) {
  const long = value === undefined ? `--${name}` : `--${name} ${value}`
  return short === undefined ? `    ${long}` : `-${short}, ${long}`
}

/**
 * @param {Object} option
 * @return {String} What it does, what it can be, and what it is by default
 */
function optionText(option) {
  const choices = option.choices === undefined ? '' : ` One of ${option.choices.join(', ')}.`
  const again = option.multiple ? ' It may be given several times.' : ''
  const byDefault = option.default === undefined ? '' : ` Default: ${option.default}.`
  return `${option.description}${choices}${again}${byDefault}`
}

/**
 * @param {String[][]} rows Two columns
 * @return {String}
 */
function table(rows) {
  const width = Math.min(30, Math.max(...rows.map(([left]) => left.length)))
  return rows
    .flatMap(([left, right]) => {
      const [first, ...more] = wrap(right, WIDTH - width - 4)
      const indent = ' '.repeat(width + 4)
      const head =
        left.length > width ? [`  ${left}`, indent + first] : [`  ${left.padEnd(width)}  ${first}`]
      return [...head, ...more.map((line) => indent + line)]
    })
    .join('\n')
}

/**
 * @param {String} text
 * @param {Number} width
 * @return {String[]}
 */
function wrap(text, width) {
  const lines = ['']
  for (const word of text.split(' ')) {
    const line = lines.at(-1)
    if (line === '') lines[lines.length - 1] = word
    else if (line.length + 1 + word.length <= width) lines[lines.length - 1] = `${line} ${word}`
    else lines.push(word)
  }
  return lines
}

/**
 * The commands as docs/cli.md has them between its marks.
 *
 * @return {String} Markdown
 */
function markdown() {
  const cell = (text) => text.replaceAll('|', '\\|')
  const parts = COMMANDS.flatMap((command) => [
    `### ${command.name}`,
    '',
    `\`${usage(command)}\``,
    '',
    command.description,
    '',
    '| argument | meaning |',
    '| --- | --- |',
    ...command.positionals.map((item) => `| \`${item.name}\` | ${cell(item.description)} |`),
    ...Object.entries(command.options).map(
      (entry) => `| \`${flags(entry).trim()}\` | ${cell(optionText(entry[1]))} |`,
    ),
    '',
    ...(command.examples.length === 0 ? [] : ['```sh']),
    ...command.examples.map(([line, what]) => `${line}   # ${what}`),
    ...(command.examples.length === 0 ? [] : ['```', '']),
  ])
  const codes = Object.values(EXIT).map(({ code, meaning }) => `| ${code} | ${meaning} |`)
  return [...parts, '### Exit codes', '', '| code | meaning |', '| --- | --- |', ...codes, ''].join(
    '\n',
  )
}

module.exports = { commandHelp, markdown, programHelp }
