// Runs the fuzz targets of fuzz/ for a while each, two at a time: `npm run fuzz`. With arguments,
// `npm run fuzz -- --seconds N TARGET...`, only some. What a run finds goes to fuzz/artifacts.
//
// `--runs N` gives each target N inputs that are the same each time. This is for what decides about a
// change: a change must not fail for an input that the run before it did not happen to try. Inputs that
// nobody has tried yet are what the other way is for.
//
// The flags are those of `cargo fuzz`, which works here too but is one more thing to install. They
// leave out the address sanitizer: the crates forbid unsafe code.

import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const root = fileURLToPath(new URL('..', import.meta.url))
const home = join(root, 'fuzz')
const all = readdirSync(join(home, 'fuzz_targets')).map((name) => name.replace('.rs', ''))
const { values, positionals } = readArguments()
for (const [name, value] of Object.entries(values)) {
  if (!/^[1-9]\d*$/.test(value)) fail(`--${name} is a number of at least 1, not '${value}'`)
}
const unknown = positionals.find((name) => !all.includes(name))
if (unknown !== undefined) fail(`there is no target '${unknown}'; there are ${all.join(', ')}`)
const targets = positionals.length > 0 ? positionals : all

const COVERAGE = [
  '-Cpasses=sancov-module',
  '-Cllvm-args=-sanitizer-coverage-level=4',
  '-Cllvm-args=-sanitizer-coverage-inline-8bit-counters',
  '-Cllvm-args=-sanitizer-coverage-pc-table',
  '-Cllvm-args=-sanitizer-coverage-trace-compares',
  '-Ccodegen-units=1',
  '--cfg=fuzzing',
]

if (process.platform === 'win32') {
  console.log('fuzz: SKIPPED, there is no libFuzzer for Rust on Windows')
} else {
  build()
  const queue = [...targets]
  const workers = [1, 2].map(async () => {
    for (let name = queue.shift(); name !== undefined; name = queue.shift()) await fuzz(name)
  })
  await Promise.all(workers)
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: { seconds: { type: 'string', default: '60' }, runs: { type: 'string' } },
    })
  } catch (error) {
    return fail(error.message)
  }
}

/** Builds for an explicit target, so that build scripts and macros are not instrumented. */
function build() {
  const args = ['build', '--release', '--locked', '--target', host()]
  const env = {
    ...process.env,
    CARGO_TARGET_DIR: join(home, 'target'),
    RUSTC_BOOTSTRAP: '1', // the passes are there, but not called stable
    RUSTFLAGS: COVERAGE.join(' '),
  }
  const { status } = spawnSync('cargo', args, { cwd: home, env, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

function host() {
  const { stdout } = spawnSync('rustc', ['-vV'], { encoding: 'utf8' })
  return /^host: (.+)$/m.exec(stdout)[1]
}

/** Inputs that nobody has tried; what a run learns stays out of the seeds that are committed. */
function newInputs(name) {
  const learnt = join(home, 'target', 'corpus', name)
  mkdirSync(learnt, { recursive: true })
  return [learnt, join(home, 'corpus', name), `-max_total_time=${values.seconds}`]
}

/**
 * The same inputs each time. What was learnt before and the order of a folder differ between machines,
 * and what libFuzzer remembers of comparisons depends on addresses, which differ between processes.
 */
function sameInputs(name) {
  const folder = join(home, 'corpus', name)
  const seeds = readdirSync(folder)
    .sort()
    .map((file) => join(folder, file))
  return [`-seed_inputs=${seeds}`, '-seed=1', '-use_cmp=0', `-runs=${values.runs}`]
}

function fuzz(name) {
  const artifacts = join(home, 'artifacts', name)
  mkdirSync(artifacts, { recursive: true })
  const args = [
    ...(values.runs === undefined ? newInputs(name) : sameInputs(name)),
    `-artifact_prefix=${artifacts}/`,
    '-max_len=4096',
    '-timeout=10',
    '-rss_limit_mb=2048',
    '-print_final_stats=1',
  ]
  const child = spawn(join(home, 'target', host(), 'release', name), args)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => {
      output = (output + text).slice(-20_000)
    })
  }
  return new Promise((resolve) => {
    child.on('close', (code) => {
      const runs = /number_of_executed_units: (\d+)/.exec(output)?.[1] ?? '?'
      console.log(`fuzz: ${name}: ${code === 0 ? `ok, ${runs} inputs` : 'FAILED'}`)
      if (code !== 0) {
        console.log(output)
        process.exitCode = 1
      }
      resolve()
    })
  })
}

function fail(message) {
  console.error(`fuzz: ${message}`)
  process.exit(1)
}
