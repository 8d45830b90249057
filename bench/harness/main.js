'use strict'

// The command line: `node index.js [QUESTION…] [--quick] [--only=TEXT] [--peers=A,B] [--runs=N]`.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { parseArgs } = require('node:util')

const Control = require('./control')
const { machine, version } = require('./machine')
const program = require('./program')
const { runRow } = require('./run')
const { cells, terminal } = require('./table')

const QUICK = { runs: 3, scale: 0.15, peers: ['ws', 'ws-listener', 'proxy', 'hyco-rs'] }
const RUNS = 5

const QUESTIONS = [
  'receive',
  'send',
  'echo',
  'round-trip',
  'accept',
  'memory',
  'relay',
  'emulator',
].filter((name) => fs.existsSync(path.join(__dirname, '..', `${name}.js`)))

/**
 * Runs what the arguments ask for and prints it.
 *
 * @param {string} [file] the script that was started, when it is one question's
 */
async function run(file) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true, default: [] },
      peers: { type: 'string' },
      runs: { type: 'string' },
      out: { type: 'string' },
    },
  })
  const asked = file ? [path.basename(file, '.js')] : positionals
  for (const name of asked) {
    if (!QUESTIONS.includes(name)) throw new Error(`no such question: ${name}`)
  }
  const names = asked.length > 0 ? asked : QUESTIONS
  const runs = Number(values.runs ?? (values.quick ? QUICK.runs : RUNS))
  const options = { ...values, runs, peers: values.peers?.split(',') }
  const results = await measureAll(names, options)
  const partial = asked.length > 0 || values.only.length > 0 || values.peers !== undefined
  if (values.out) fs.writeFileSync(values.out, JSON.stringify(results, null, 1))
  return { results, partial }
}

async function measureAll(names, options) {
  const server = await program.start(program.build(), [])
  const caFile = path.join(os.tmpdir(), `hyco-rs-bench-${process.pid}.pem`)
  fs.writeFileSync(caFile, server.ca)
  const results = {
    date: new Date().toISOString().slice(0, 10),
    machine: machine(),
    versions: {},
    runs: options.runs,
    quick: options.quick,
    questions: {},
  }
  console.log(describe(results))
  try {
    for (const name of names) {
      const question = { name, ...require(path.join(__dirname, '..', name)) }
      const rows = await ask(question, { ...options, server, caFile })
      if (rows.length === 0) continue
      results.questions[name] = rows
      note(rows, results.versions)
      const title = (peer) => titleOf(peer, results.versions)
      console.log(`\n${question.title}: ${question.text}\n`)
      console.log(terminal(cells(question, rows, title)))
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
  for (const row of question.rows) {
    if (quick && row.growth) continue
    const label = `${question.name} ${row.name} ${row.transport}`
    if (!only.every((text) => label.includes(text))) continue
    const scale = quick ? QUICK.scale : 1
    const scaled = row.count ? { ...row, count: Math.ceil((row.count * scale) / 50) * 50 } : row
    const results = await runRow(question, scaled, names, { ...options, progress })
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

function note(rows, versions) {
  for (const { peers } of rows) {
    for (const peer of Object.keys(peers)) {
      const { packages = [] } = require(path.join(__dirname, '..', 'peers', peer))
      for (const name of packages) versions[name] ??= version(name)
    }
  }
}

/**
 * The name of a peer with the version it was measured in.
 *
 * @param {string} peer
 * @param {Object<string, string>} versions
 * @return {string}
 */
function titleOf(peer, versions) {
  const { title, packages = [] } = require(path.join(__dirname, '..', 'peers', peer))
  const number = versions[packages[0]]
  return number ? `${title} ${number}` : title
}

function describe({ date, machine: found, runs, quick }) {
  const { processor, cores, memory, system, node, load } = found
  const lines = [`${date}, ${processor}, ${cores} cores, ${memory}, ${system}, Node ${node}`]
  lines.push(`medians of ${runs} interleaved ${quick ? 'short ' : ''}runs, load before: ${load}`)
  return lines.join('\n')
}

function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
}

module.exports = {
  run(file) {
    run(file).catch((error) => {
      console.error(error.stack)
      process.exitCode = 1
    })
  },
  describe,
  run_: run,
  titleOf,
}
