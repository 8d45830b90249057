'use strict'

const { COMMANDS } = require('../commands')
const { relayOptions } = require('../relay-options')

/**
 * Prints a script that completes commands and options.
 *
 * @param {Object} values
 * @param {String[]} positionals
 * @return {Number} The exit code
 */
function completion(values, [shell]) {
  const commands = COMMANDS.map((command) => (command.raw ? completed(command) : command))
  process.stdout.write({ bash, fish, zsh }[shell](commands))
  return 0
}

/**
 * @param {Object} command One that reads its arguments by itself: the local relay
 * @return {Object} With the options and commands that it knows
 */
function completed(command) {
  const positionals = [{ name: 'COMMAND', choices: ['fault', 'health'] }]
  return { ...command, options: { ...relayOptions(), ...command.options }, positionals }
}

/**
 * @param {Object[]} commands
 * @return {String}
 */
function bash(commands) {
  const names = commands.map(({ name }) => name).join(' ')
  const cases = commands.map(({ name, options, positionals }) => {
    const words = [...longNames(options), ...positionals.flatMap((item) => item.choices ?? [])]
    return `    ${name}) words='${words.join(' ')}' ;;`
  })
  return `# bash completion of hyco-rs
_hyco_rs() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} words=''
  case $before in
${valueCases(commands, '    ')}
  esac
  case \${COMP_WORDS[1]} in
${cases.join('\n')}
    *) words='${names} --help --version' ;;
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then
    words='${names} --help --version'
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -F _hyco_rs hyco-rs
`
}

/**
 * What follows an option that takes a value, for bash.
 *
 * @param {Object[]} commands
 * @param {String} indent
 * @return {String}
 */
function valueCases(commands, indent) {
  const seen = new Map()
  for (const { options, raw } of commands) {
    for (const [name, option] of Object.entries(options)) {
      // Where the local relay means something else by a name, the other commands go first.
      if (option.value === undefined || (raw && seen.has(`--${name}`))) continue
      const words = option.short === undefined ? [`--${name}`] : [`--${name}`, `-${option.short}`]
      let reply = 'COMPREPLY=()'
      if (option.complete === 'file') reply = 'COMPREPLY=($(compgen -f -- "$word"))'
      if (option.choices !== undefined) {
        reply = `COMPREPLY=($(compgen -W '${option.choices.join(' ')}' -- "$word"))`
      }
      seen.set(`--${name}`, `${indent}${words.join(' | ')}) ${reply}; return ;;`)
    }
  }
  return [...seen.values()].join('\n')
}

/**
 * @param {Object[]} commands
 * @return {String}
 */
function zsh(commands) {
  const summaries = commands.map(({ name, summary }) => `    ${quote(`${name}:${summary}`)}`)
  const cases = commands.map(({ name, options, positionals }) => {
    const specs = Object.entries(options).flatMap(([long, option]) => zshSpecs(long, option))
    for (const { choices, name, variadic } of positionals) {
      const values = choices === undefined ? ' ' : `(${choices.join(' ')})`
      specs.push(quote(`${variadic ? '*' : ''}:${name}:${values}`))
    }
    return `    ${name}) _arguments ${specs.join(' ')} ;;`
  })
  return `#compdef hyco-rs
_hyco_rs() {
  local -a commands=(
${summaries.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join('\n')}
  esac
}
if [ "$funcstack[1]" = _hyco-rs ]; then _hyco_rs "$@"; else compdef _hyco_rs hyco-rs; fi
`
}

/**
 * @param {String} name
 * @param {Object} option
 * @return {String[]} As `_arguments` wants them
 */
function zshSpecs(name, option) {
  const text = option.description.replace(/[[\]:]/g, '\\$&')
  let value = ''
  if (option.value !== undefined) {
    let action = ' '
    if (option.complete === 'file') action = '_files'
    if (option.choices !== undefined) action = `(${option.choices.join(' ')})`
    value = `:${option.value}:${action}`
  }
  const many = option.multiple ? '*' : ''
  const forms = option.short === undefined ? [`--${name}`] : [`--${name}`, `-${option.short}`]
  return forms.map((form) => quote(`${many}${form}[${text}]${value}`))
}

/**
 * @param {Object[]} commands
 * @return {String}
 */
function fish(commands) {
  const lines = ['# fish completion of hyco-rs', 'complete -c hyco-rs -f']
  for (const { name, options, positionals, summary } of commands) {
    lines.push(`complete -c hyco-rs -n __fish_use_subcommand -a ${name} -d ${quote(summary)}`)
    const here = `complete -c hyco-rs -n '__fish_seen_subcommand_from ${name}'`
    for (const [long, option] of Object.entries(options)) {
      const parts = [here, `-l ${long}`]
      if (option.short !== undefined) parts.push(`-s ${option.short}`)
      if (option.complete === 'file') parts.push('-rF')
      else if (option.choices !== undefined) parts.push(`-xa '${option.choices.join(' ')}'`)
      else if (option.value !== undefined) parts.push('-x')
      lines.push(`${parts.join(' ')} -d ${quote(option.description)}`)
    }
    for (const { choices } of positionals) {
      if (choices !== undefined) lines.push(`${here} -a '${choices.join(' ')}'`)
    }
  }
  return `${lines.join('\n')}\n`
}

/**
 * @param {Object} options
 * @return {String[]}
 */
function longNames(options) {
  return Object.keys(options).map((name) => `--${name}`)
}

/**
 * @param {String} text
 * @return {String} As one word of a shell
 */
function quote(text) {
  return `'${text.replaceAll("'", "'\\''")}'`
}

module.exports = completion
