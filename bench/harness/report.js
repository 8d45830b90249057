'use strict'

// Keeps what was measured: results/*.json, the charts, docs/benchmarks.md and the table in README.md.

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')

const { bars } = require('./chart')
const { FEWER_RUNS } = require('./run')
const { againstBun, bunLines, judge, targetLines } = require('./targets')
const { cells, markdown, short } = require('./table')

const bench = path.join(__dirname, '..')
const root = path.join(bench, '..')
const resultsFolder = path.join(bench, 'results')
const chartsFolder = path.join(root, 'docs', 'charts')
const page = path.join(root, 'docs', 'benchmarks.md')
const readme = path.join(root, 'README.md')
const START = '<!-- bench:start -->'
const END = '<!-- bench:end -->'

/**
 * Writes what a run gave and everything that is made of it.
 *
 * @param {object} results of `main.js`
 * @param {string[]} names all questions, in order
 */
function save(results, names) {
  fs.mkdirSync(resultsFolder, { recursive: true })
  const { questions, ...about } = results
  for (const [name, rows] of Object.entries(questions)) {
    const text = JSON.stringify({ ...about, rows }, rounded, 1)
    fs.writeFileSync(path.join(resultsFolder, `${name}.json`), `${text}\n`)
  }
  render(names)
}

/**
 * Makes the charts, the page and the table of what is kept.
 *
 * @param {string[]} names all questions, in order
 */
function render(names) {
  const kept = load(names)
  drawCharts(kept)
  fs.writeFileSync(page, pageText(kept))
  if (fs.existsSync(readme)) {
    fs.writeFileSync(readme, withSummary(fs.readFileSync(readme, 'utf8'), kept))
  }
  format([page, readme].filter((name) => fs.existsSync(name)))
}

/** Gives what was written the form that `npm run lint` asks for. */
function format(files) {
  const prettier = path.join(root, 'node_modules', 'prettier', 'bin', 'prettier.cjs')
  if (!fs.existsSync(prettier)) return
  const options = { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] }
  execFileSync(process.execPath, [prettier, '--write', ...files], options)
}

/**
 * @param {string[]} names all questions, in order
 * @return {Array<object>} what is kept of each: its module, and date, machine, versions and rows
 */
function load(names) {
  return names
    .map((name) => [name, path.join(resultsFolder, `${name}.json`)])
    .filter(([, file]) => fs.existsSync(file))
    .map(([name, file]) => ({
      name,
      question: require(path.join(bench, name)),
      ...JSON.parse(fs.readFileSync(file, 'utf8')),
    }))
}

/**
 * @param {object[]} kept
 * @return {Object<string, object[]>} the rows by question
 */
function rowsOf(kept) {
  return Object.fromEntries(kept.map(({ name, rows }) => [name, rows]))
}

function rounded(key, value) {
  return typeof value === 'number' && !Number.isInteger(value)
    ? Number(value.toPrecision(5))
    : value
}

/**
 * The name of a peer with the version it was measured in.
 *
 * @param {string} peer
 * @param {Object<string, string>} versions
 * @return {string}
 */
function titleOf(peer, versions) {
  const { title, packages = [] } = require(path.join(bench, 'peers', peer))
  const number = versions[packages[0]]
  return number ? `${title} ${number}` : title
}

/**
 * @param {object} about date, machine, versions, runs
 * @return {string} two sentences for the head of a table
 */
function describe({ date, machine, versions, runs, quick }) {
  const { processor, cores, memory, system, node } = machine
  const packages = Object.entries(versions).map(([name, number]) => `${name} ${number}`)
  const where = `${date}: ${processor}, ${cores} cores, ${memory}, ${system}, Node ${node}`
  const what = packages.length > 0 ? `; ${packages.join(', ')}` : ''
  const fewer =
    runs > FEWER_RUNS ? `; ${FEWER_RUNS} of growing crowds, small crowds and one processor` : ''
  return `${where}${what}. Medians of ${runs} interleaved ${quick ? 'short ' : ''}runs${fewer}.`
}

function pageText(kept) {
  const questions = rowsOf(kept)
  const parts = [
    '# Benchmarks',
    'Written by `npm run bench`; [bench/README.md](../bench/README.md) tells how it is measured, [performance.md](performance.md) where the time goes.',
    kept.length > 0 ? describe(newest(kept)) : '',
    'CPU is processor time of the whole process for one message (or connection), user and system together; *main thread* is the share of the thread that runs JavaScript. A ratio is taken within each run, to the first peer of the table, and the median of the ratios is shown. A star marks rows in which the Rust program at the other end was busy for more than 95 % of the time, so that throughput may be its limit.',
    '![CPU time per message against ws](charts/cpu.svg)',
    '![Main-thread time per message against ws](charts/main-thread.svg)',
    '![Throughput against ws](charts/throughput.svg)',
    '![CPU time per connection, and memory](charts/connections.svg)',
    '## Targets',
    markdown(targetLines(judge(questions)), 2),
    '## Against Bun',
    'Bun lives in a runtime of its own; hyco-rs lives in Node and passes every message through it.',
    markdown(bunLines(againstBun(questions)), 1),
  ]
  for (const { question, rows, versions, ...about } of kept) {
    parts.push(`## ${question.title}`, question.text)
    if (about.date !== newest(kept).date) parts.push(describe({ ...about, versions }))
    parts.push(markdown(cells(question, rows, (peer) => titleOf(peer, versions))))
  }
  return `${parts.filter(Boolean).join('\n\n')}\n`
}

function newest(kept) {
  const last = kept.reduce((a, b) => (b.date >= a.date ? b : a))
  return { ...last, versions: Object.assign({}, ...kept.map(({ versions }) => versions)) }
}

function drawCharts(kept) {
  fs.mkdirSync(chartsFolder, { recursive: true })
  const questions = rowsOf(kept)
  const versions = Object.assign({}, ...kept.map((found) => found.versions))
  const draw = (file, names, chart) => {
    const groups = groupsOf(questions, names, chart.figure)
    if (groups.length === 0) return
    const present = (name) => groups.some(({ values }) => name in values)
    const series = chart.peers
      .filter(present)
      .map((name) => ({ name, title: titleOf(name, versions) }))
    fs.writeFileSync(
      path.join(chartsFolder, file),
      bars({ ...chart, series, groups, text: times, line: 1 }),
    )
  }
  const messages = ['receive', 'send', 'echo', 'round-trip']
  const peers = ['ws', 'bun', 'hyco-rs']
  draw('cpu.svg', messages, {
    title: 'CPU time per message',
    caption: 'relative to ws with bufferutil in the same run; shorter is better',
    figure: 'cpu',
    peers,
    cap: 1.6,
  })
  draw('main-thread.svg', messages, {
    title: 'JavaScript-thread time per message',
    caption: 'relative to ws with bufferutil in the same run; shorter is better',
    figure: 'main',
    peers,
    cap: 1.6,
  })
  draw('throughput.svg', messages, {
    title: 'Messages per second',
    caption: 'relative to ws with bufferutil in the same run; longer is better',
    figure: 'rate',
    peers,
    cap: 6,
  })
  draw('connections.svg', ['accept', 'relay', 'memory'], {
    title: 'Listening: CPU time per accepted sender and per relayed echo, memory per idle socket',
    caption: 'relative to a listener written on ws in the same run; shorter is better',
    figure: 'cpu',
    peers: ['ws-listener', 'ws', 'hyco-ws', 'hyco-rs'],
    cap: 2.5,
  })
}

/** One group of bars for every row that more than one peer ran. */
function groupsOf(questions, names, figure) {
  const groups = []
  for (const name of names) {
    for (const row of questions[name] ?? []) {
      if (row.growth) continue
      const values = {}
      for (const [peer, { ratios }] of Object.entries(row.peers)) {
        const value = ratios?.[figure] ?? ratios?.bytes
        if (Number.isFinite(value)) values[peer] = value
      }
      const over = row.transport === 'tls' ? 'TLS' : 'TCP'
      if (Object.keys(values).length > 1)
        groups.push({ label: `${name} ${row.name}, ${over}`, values })
    }
  }
  return groups
}

/** README with the table between its two marks renewed. */
function withSummary(text, kept) {
  const from = text.indexOf(START)
  const to = text.indexOf(END)
  if (from < 0 || to < from) return text
  return `${text.slice(0, from + START.length)}\n\n${summary(kept)}\n\n${text.slice(to)}`
}

/** A ratio as text. */
function times(value) {
  return Number.isFinite(value) ? `${short(value)}×` : ''
}

/** What README shows: TLS alone, since the real service speaks nothing else. */
function summary(kept) {
  const questions = rowsOf(kept)
  const lines = [['over TLS', 'CPU', 'JavaScript thread', 'throughput']]
  for (const name of ['receive', 'send', 'echo', 'relay', 'accept']) {
    for (const row of questions[name] ?? []) {
      const ratios = row.peers['hyco-rs']?.ratios
      if (row.growth || row.transport !== 'tls' || !ratios) continue
      const cells = [ratios.cpu, ratios.main, ratios.rate].map(times)
      lines.push([`${name} ${row.name}`, ...cells])
    }
  }
  return [
    '![CPU time per message against ws](docs/charts/cpu.svg)',
    'hyco-rs relative to `ws` with `bufferutil`; `relay` and `accept` relative to a listener written on `ws`. Less CPU and more throughput is better. All rows: [docs/benchmarks.md](docs/benchmarks.md).',
    markdown(lines, 1),
    describe(newest(kept)),
  ].join('\n\n')
}

module.exports = { describe, format, render, save, titleOf }
