'use strict'

// The command line: `node index.js [QUESTION…] [--quick] [--only=TEXT] [--peers=A,B] [--runs=N]`,
// or `--report` to write page, charts and table again from what is kept.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { parseArgs } = require('node:util')

const { machine, version } = require('./machine')
const program = require('./program')
const { runRow } = require('./run')
const { describe, render, save, titleOf } = require('./report')
const { cells, terminal } = require('./table')
const { againstBun, bunLines, judge, targetLines } = require('./targets')

const QUICK = {
  runs: 3,
  scale: 0.1,
  env: { BENCH_WARM_UP: '150' },
  peers: [
    'ws',
    'ws-listener',
    'proxy',
    'hyco-rs',
    'emulator',
    'http-server',
    'hyco-rs-forward',
    'http-proxy',
    'http-emulator',
  ],
}
const RUNS = 5

const QUESTIONS = [
  'receive',
  'send',
  'echo',
  'round-trip',
  'sparse',
  'beside',
  'accept',
  'idle',
  'memory',
  'relay',
  'emulator',
  'http',
  'http-streams',
  'http-relay',
]

async function run(file) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true, default: [] },
      peers: { type: 'string' },
      runs: { type: 'string' },
      report: { type: 'boolean', default: false },
    },
  })
  if (values.report) return render(QUESTIONS)
  const asked = file ? [path.basename(file, '.js')] : positionals
  for (const name of asked) {
    if (!QUESTIONS.includes(name)) throw new Error(`no such question: ${name}`)
  }
  const runs = Number(values.runs ?? (values.quick ? QUICK.runs : RUNS))
  const partial = values.quick || values.only.length > 0 || values.peers || runs < RUNS
  const keep = partial ? () => {} : (results) => save(results, QUESTIONS)
  const options = { ...values, runs, keep, peers: values.peers?.split(',') }
  const results = await measureAll(asked.length > 0 ? asked : QUESTIONS, options)
  const judged = judge(results.questions)
  if (judged.length > 0) console.log(`\nTargets\n\n${terminal(targetLines(judged), 1)}`)
  const compared = againstBun(results.questions)
  if (compared.length > 0) console.log(`\nStretch\n\n${terminal(bunLines(compared), 1)}`)
  console.log(
    partial
      ? '\nA quick or filtered run keeps nothing.'
      : '\nKept in bench/results, docs/benchmarks.md, docs/charts and README.md.',
  )
}

async function measureAll(names, options) {
  const built = program.build()
  const server = { ...(await program.start(built, [])), program: built }
  const caFile = path.join(os.tmpdir(), `hyco-rs-bench-${process.pid}.pem`)
  fs.writeFileSync(caFile, server.ca)
  const env = { NODE_EXTRA_CA_CERTS: caFile, ...(options.quick ? QUICK.env : {}) }
  const results = {
    date: new Date().toISOString().slice(0, 10),
    machine: machine(),
    versions: {},
    runs: options.runs,
    quick: options.quick,
    questions: {},
  }
  console.log(`${describe(results)} Load before: ${results.machine.load}.`)
  try {
    for (const name of names) {
      const question = { name, ...require(path.join(__dirname, '..', name)) }
      const rows = await ask(question, { ...options, server, env })
      if (rows.length === 0) continue
      results.questions[name] = rows
      note(rows, results.versions)
      const title = (peer) => titleOf(peer, results.versions)
      console.log(`\n${question.title}: ${question.text}\n`)
      console.log(terminal(cells(question, rows, title)))
      options.keep(results)
    }
  } finally {
    fs.rmSync(caFile, { force: true })
    await server.stop()
  }
  return results
}

async function ask(question, options) {
  const { quick, only, peers } = options
  let names = question.peers.filter((peer) => available(peer))
  if (peers) names = names.filter((peer) => peers.includes(peer))
  else if (quick) names = names.filter((peer) => QUICK.peers.includes(peer))
  const rows = []
  if (question.needs && !available(question.needs)) return rows
  for (const row of question.rows) {
    if (quick && row.growth) continue
    const label = `${question.name} ${row.name} ${row.transport}`
    if (!only.every((text) => label.includes(text))) continue
    const scale = quick ? QUICK.scale : 1
    const scaled = row.count ? { ...row, count: Math.ceil((row.count * scale) / 50) * 50 } : row
    const runs = quick ? Math.min(options.runs, question.quickRuns ?? options.runs) : options.runs
    const able = names.filter((peer) => !row.without?.includes(peer))
    const results = await runRow(question, scaled, able, { ...options, runs, progress })
    progress('')
    rows.push({ ...row, peers: results })
  }
  return rows
}

function available(peer) {
  const file = path.join(__dirname, '..', 'peers', `${peer}.js`)
  if (!fs.existsSync(file)) return false
  return require(file).available?.() ?? true
}

/** Notes the versions of what was measured. */
function note(rows, versions) {
  for (const { peers } of rows) {
    for (const peer of Object.keys(peers)) {
      const { packages = [] } = require(path.join(__dirname, '..', 'peers', peer))
      for (const name of packages) versions[name] ??= version(name)
    }
  }
}

/** Says on one line of a terminal how far it is. */
function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
}

module.exports = {
  /**
   * Runs what the command line asks for.
   *
   * @param {string} [file] the script that was started, when it is one question's
   */
  run(file) {
    run(file).catch((error) => {
      console.error(error.stack)
      process.exitCode = 1
    })
  },
}
