// Changes the sources of a crate in one place at a time, and tells which changes no test notices.
//
//   node scripts/mutate-rust.mjs hyco-hub [--with hyco-client]... [--sample 40] [FILE...]
//
// The tests that run are those of the crate, and of the crates after `--with`. A change that survives
// is printed. All changes are compiled at once, into a copy of the workspace in target/mutants, and an
// environment variable chooses one: compiling anew for each would take hours.

import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'

import { passes as pass } from './tests-alone.mjs'

/** How often what does not compile is taken out before giving up. */
const ROUNDS = 12

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    with: { type: 'string', multiple: true, default: [] },
    sample: { type: 'string' },
    seed: { type: 'string', default: '1' },
  },
})
const [crate, ...wanted] = positionals
if (crate === undefined) {
  console.error(
    'usage: node scripts/mutate-rust.mjs CRATE [--with CRATE]... [--sample N] [--seed N] [FILE...]',
  )
  process.exit(2)
}
const copy = join('target', 'mutants')
const source = join('crates', crate.replace('hyco-', ''), 'src')

/** What a line can become; `on` is true while the change is chosen. */
const CHANGES = [
  {
    what: 'condition negated',
    pattern: /^(\s*(?:\} else )?if )((?:(?!\blet\b).)+)( \{)$/,
    change: ([, before, condition, after], on) => `${before}${on} ^ (${condition})${after}`,
  },
  {
    what: 'bound moved by one',
    pattern: /^(\s*(?:\} else )?if )([\w.()]+) (>=|>|<=|<) ([\w.()]+)( \{)$/,
    change: ([, before, left, operator, right, after], on) => {
      const other = operator.length === 2 ? operator[0] : `${operator}=`
      return `${before}(if ${on} { ${left} ${other} ${right} } else { ${left} ${operator} ${right} })${after}`
    },
  },
  {
    what: 'statement left out',
    pattern:
      /^(\s+)((?!let |[\w:]+!|return|break|continue|use |pub |const |type |mod |static |fn |\/\/|#|[A-Z])[\w*][^{}]*(?:\(.*\)|[^=!<>]=[^=].*);)$/,
    change: ([, indent, statement], on) => `${indent}if !${on} { ${statement} }`,
  },
]

function sources(folder) {
  return readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith('.rs') && !name.endsWith('tests.rs'))
    .map((name) => join(folder, name))
    .sort()
}

/** Copies what is under version control, so that what is compiled is the work tree without target/. */
function copyWorkspace() {
  const { stdout } = spawnSync('git', ['ls-files', '-z', 'crates', 'src', 'Cargo.*', '*.rs'], {
    encoding: 'utf8',
  })
  for (const file of stdout.split('\0').filter((name) => name && existsSync(name))) {
    const target = join(copy, file)
    if (existsSync(target) && readFileSync(target).equals(readFileSync(file))) continue
    mkdirSync(join(target, '..'), { recursive: true })
    cpSync(file, target)
  }
}

/** Where a file's own tests begin; they are not changed. */
function endOfCode(lines) {
  const at = lines.findIndex((line, index) => {
    return line === '#[cfg(test)]' && lines[index + 1]?.startsWith('mod ')
  })
  return at < 0 ? lines.length : at
}

function findChanges() {
  const changes = []
  for (const file of sources(source)) {
    if (wanted.length > 0 && !wanted.includes(file)) continue
    const lines = readFileSync(file, 'utf8').split('\n')
    for (let at = 0; at < endOfCode(lines); at++) {
      for (const { what, pattern, change } of CHANGES) {
        const match = pattern.exec(lines[at])
        if (match === null || !isWhole(lines, at)) continue
        const number = changes.length + 1
        const text = change(match, `crate::mutant(${number})`)
        changes.push({ number, file, at, what, text, line: lines[at].trim() })
        break
      }
    }
  }
  return changes
}

/** Whether the line is a statement of its own and not the end of a longer one. */
function isWhole(lines, at) {
  const before = lines[at - 1].trim()
  const balance = [...lines[at]].reduce((sum, it) => sum + (it === '(') - (it === ')'), 0)
  return balance === 0 && (before === '' || /[{};]$|^\/\/|=>$/.test(before))
}

function write(changes) {
  for (const file of sources(source)) {
    const mine = changes.filter((change) => change.file === file)
    const lines = readFileSync(file, 'utf8').split('\n')
    for (const { at, text } of mine) lines[at] = text
    if (file === join(source, 'lib.rs')) lines.push(CHOICE)
    writeFileSync(join(copy, file), lines.join('\n'))
  }
}

const CHOICE = `
pub(crate) fn mutant(number: u32) -> bool {
    static CHOSEN: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    let read = || std::env::var("HYCO_MUTANT").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    *CHOSEN.get_or_init(read) == number
}
`

/** Compiles the tests; takes out what does not compile. Returns the programs and what is left. */
function compile(found) {
  let changes = found
  const packages = [crate, ...values.with].flatMap((name) => ['-p', name])
  for (let round = 0; round < ROUNDS; round++) {
    write(changes)
    const args = ['test', '--no-run', '--message-format=json', ...packages]
    const run = spawnSync('cargo', args, {
      cwd: copy,
      encoding: 'utf8',
      maxBuffer: 1 << 30,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const messages = run.stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line))
    if (run.status === 0) {
      const programs = messages.filter(({ executable, profile }) => executable && profile?.test)
      return { changes, programs: programs.map(({ executable }) => executable) }
    }
    const bad = new Set()
    for (const { message } of messages.filter(({ message }) => message?.level === 'error')) {
      for (const { file_name, line_start, line_end } of message.spans) {
        for (let line = line_start; line <= line_end; line++) bad.add(`${file_name}:${line}`)
      }
    }
    const left = changes.filter(({ file, at }) => !bad.has(`${file}:${at + 1}`))
    if (left.length === changes.length) {
      console.error(messages.find(({ message }) => message?.level === 'error')?.message.rendered)
      break
    }
    changes = left
  }
  console.error('the tests do not compile')
  process.exit(1)
}

async function passes(programs, number) {
  const cwd = join(copy, source, '..')
  const env = { ...process.env, HYCO_MUTANT: String(number), CARGO_MANIFEST_DIR: undefined }
  for (const program of programs) {
    if (!(await pass(program, ['--quiet'], { cwd, env }))) return false
  }
  return true
}

/** So many, spread over all files in an order that the seed decides. */
function choose(changes) {
  const count = Math.min(Number(values.sample ?? changes.length), changes.length)
  let state = Number(values.seed)
  const random = () => {
    state = (state * 1103515245 + 12345) % 2147483648
    return state
  }
  const shuffled = changes.map((change) => ({ change, key: random() }))
  shuffled.sort((a, b) => a.key - b.key)
  return shuffled.slice(0, count).map(({ change }) => change)
}

copyWorkspace()
const { changes, programs } = compile(findChanges())
if (!(await passes(programs, 0))) {
  console.error('the tests fail without a change')
  process.exit(1)
}
const chosen = choose(changes)
let survived = 0
for (const { number, file, at, what, line } of chosen) {
  if (!(await passes(programs, number))) continue
  survived++
  console.log(`${relative('.', file)}:${at + 1}: ${what}: ${line}  [${number}]`)
}
console.log(`${survived} of ${chosen.length} survived (${changes.length} are possible)`)
