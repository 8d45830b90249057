'use strict'

// What hyco-rs promises, as ratios to the peer it is compared with in the same run.

const { median } = require('./statistics')
const { short } = require('./table')

const FIGURES = {
  cpu: 'CPU',
  main: 'main thread',
  rate: 'throughput',
  p50: 'p50',
  p99: 'p99',
  bytes: 'memory',
}

/** question, row, then for TCP and TLS: CPU and main thread at most, throughput at least */
const THROUGHPUT = [
  ['receive', '64 B', [0.35, 0.15, 3], [0.3, 0.15, 3]],
  ['receive', '16 KiB', [0.9, 0.25, 1], [0.5, 0.15, 1.6]],
  ['receive', '1 MiB', [0.8, 0.2, 1.1], [0.6, 0.15, 1.5]],
  ['send', '64 B', [0.1, 0.06, 10], [0.25, 0.2, 4]],
  ['send', '16 KiB', [0.6, 0.2, 1.5], [0.65, 0.15, 1.3]],
  ['send', '1 MiB', [0.55, 0.2, 1.5], [0.75, 0.15, 1.3]],
  ['echo', '100 sockets', [0.7, 0.4, 1.4], [0.5, 0.3, 2]],
]

/** The same for crowds and turns, without the main thread */
const TURNS = [
  ['round-trip', '1 socket', [0.85, 1], [0.65, 1.2]],
  ...['2', '4', '8', '16'].map((count) => ['echo', `${count} sockets`, [0.8, 1.1], [0.6, 1.3]]),
]

/** question, row, figure, at most over TCP, at most over TLS */
const SINGLE = [
  ['round-trip', '1 socket', 'p50', 0.95, 0.85],
  ['sparse', '100 sockets', 'cpu', 0.8, 0.7],
  ['beside', '1 quiet, 1 busy', 'p99', 1, 1],
  ['receive', '16 KiB, one processor', 'cpu', undefined, 0.5],
  ['idle', '1,000 sockets', 'cpu', 1, 1],
  ['memory', '2,000 sockets', 'bytes', 0.5, 0.3],
  ['accept', '50 at a time', 'cpu', 0.4, 0.4],
  ['accept', '1,000 at once', 'cpu', 0.4, 0.4],
  ['relay', '100 sockets', 'cpu', 0.7, 0.5],
]

/** The relay against a TCP proxy: row, figure, limit, whether it must be at least that */
const EMULATOR = [
  ['64 B', 'cpu', 1.5, false],
  ['16 KiB', 'rate', 0.8, true],
  ['1 MiB', 'rate', 0.8, true],
]

/** Requests: row, peer, then CPU and main thread at most, against a direct server and hyco-https. */
const REQUESTS = [
  ['GET, small', 'hyco-rs', [1, 0.55], [0.75, 0.45]],
  ['POST, 1 kB of JSON', 'hyco-rs', [1, 0.8], [0.75, 0.65]],
  ['GET, 100 kB', 'hyco-rs', [2, 0.5]],
  ['GET, 20 MiB, per MiB', 'hyco-rs', [1.5, 0.6]],
  ['POST, 20 MiB, per MiB', 'hyco-rs', [1.5, 0.6]],
  ['GET, small', 'hyco-rs-forward', [0.8, 0.02]],
]

const GROWTH = 1.5
const LOOP_MILLISECONDS = 10

/**
 * @param {Object<string, object>} questions what was measured, by question
 * @return {object[]} every target that can be judged: what, limit, measured, met
 */
function judge(questions) {
  const found = []
  const add = (what, limit, least, measured, text = short) => {
    if (measured === undefined || Number.isNaN(measured)) return
    const met = least ? measured >= limit : measured <= limit
    found.push({ what, limit: `${least ? '≥' : '≤'} ${limit}`, measured: text(measured), met })
  }
  const own = (question, row, transport, peer = 'hyco-rs') =>
    questions[question]?.find((found) => found.name === row && found.transport === transport)
      ?.peers[peer]
  const transports = ['tcp', 'tls']
  for (const [question, row, ...limits] of THROUGHPUT) {
    transports.forEach((transport, i) => {
      const result = own(question, row, transport)
      ;['cpu', 'main', 'rate'].forEach((figure, at) => {
        const what = `${question} ${row} ${transport}: ${FIGURES[figure]}`
        add(what, limits[i][at], figure === 'rate', result?.ratios?.[figure])
      })
    })
  }
  for (const [question, row, ...limits] of TURNS) {
    transports.forEach((transport, i) => {
      const result = own(question, row, transport)
      ;['cpu', 'rate'].forEach((figure, at) => {
        const what = `${question} ${row} ${transport}: ${FIGURES[figure]}`
        add(what, limits[i][at], figure === 'rate', result?.ratios?.[figure])
      })
    })
  }
  for (const [question, row, figure, ...limits] of SINGLE) {
    transports.forEach((transport, i) => {
      if (limits[i] === undefined) return
      const what = `${question} ${row} ${transport}: ${FIGURES[figure]}`
      add(what, limits[i], false, own(question, row, transport)?.ratios?.[figure])
    })
  }
  for (const transport of transports) {
    const blocked = own('accept', '1,000 at once', transport)?.blocked
    const what = `accept 1,000 at once ${transport}: event loop p99`
    add(what, LOOP_MILLISECONDS, false, blocked / 1e3, (value) => `${short(value)} ms`)
  }
  for (const sockets of ['1 socket', '1,000 sockets', '5,000 sockets']) {
    const base = own('echo', '100 sockets', 'tcp')?.cpu
    const what = `echo ${sockets} tcp: CPU against 100 sockets`
    add(what, GROWTH, false, own('echo', sockets, 'tcp')?.cpu / base)
  }
  for (const sockets of ['100', '1,000', '5,000']) {
    const base = own('round-trip', '1 socket', 'tcp')?.cpu
    const what = `round-trip 1 of ${sockets} sockets tcp: CPU against 1 open`
    add(what, GROWTH, false, own('round-trip', `1 of ${sockets} sockets`, 'tcp')?.cpu / base)
  }
  const few = own('memory', '2,000 sockets', 'tcp')?.bytes
  const many = own('memory', '5,000 sockets', 'tcp')?.bytes
  add('memory 5,000 sockets tcp: a socket against 2,000', 1.1, false, many / few)
  for (const [row, figure, limit, least] of EMULATOR) {
    const result = own('emulator', row, 'tcp', 'emulator')
    add(
      `emulator ${row}: ${FIGURES[figure]} against a TCP proxy`,
      limit,
      least,
      result?.ratios?.[figure],
    )
  }
  for (const [row, peer, direct, hycoHttps] of REQUESTS) {
    const peers = questions.http?.find(({ name }) => name === row)?.peers ?? {}
    const name = peer === 'hyco-rs' ? '' : ', forward()'
    ;['cpu', 'main'].forEach((figure, at) => {
      const what = `http ${row}${name}: ${FIGURES[figure]}`
      add(`${what} against http.Server`, direct[at], false, peers[peer]?.ratios?.[figure])
      const ratio = between(peers[peer], peers['hyco-https'], figure)
      if (hycoHttps) add(`${what} against hyco-https`, hycoHttps[at], false, ratio)
    })
  }
  const relayed = own('http-relay', 'GET, small', 'tcp', 'http-emulator')
  add('http-relay GET, small: CPU against a proxy on hyper', 2, false, relayed?.ratios?.cpu)
  return found
}

/** The median of the ratios of two peers in the same runs. */
function between(one, other, figure) {
  if (!one?.samples || one.samples.length !== other?.samples?.length) return undefined
  return median(one.samples.map((sample, run) => sample[figure] / other.samples[run][figure]))
}

/**
 * How hyco-rs stands to Bun's client, in every row that both ran.
 *
 * @param {Object<string, object>} questions
 * @return {object[]} what, throughput ratio, CPU ratio
 */
function againstBun(questions) {
  const lines = []
  for (const [question, rows] of Object.entries(questions)) {
    for (const { name, transport, peers } of rows) {
      const { 'hyco-rs': ours, bun } = peers
      if (!ours?.cpu || !bun?.cpu) continue
      const rate = question === 'round-trip' ? bun.p50 / ours.p50 : ours.rate / bun.rate
      lines.push({ what: `${question} ${name} ${transport}`, rate, cpu: ours.cpu / bun.cpu })
    }
  }
  return lines
}

/**
 * @param {object[]} judged
 * @return {string[][]} lines of a table
 */
function targetLines(judged) {
  const lines = judged.map(({ what, limit, measured, met }) => [
    what,
    limit,
    measured,
    met ? 'met' : 'NOT met',
  ])
  return [['target', 'limit', 'measured', ''], ...lines]
}

/**
 * @param {object[]} compared
 * @return {string[][]} lines of a table
 */
function bunLines(compared) {
  const lines = compared.map(({ what, rate, cpu }) => [
    what,
    short(rate),
    short(cpu),
    rate >= 1 && cpu <= 1 ? 'ahead' : rate >= 1 || cpu <= 1 ? 'mixed' : 'behind',
  ])
  return [['hyco-rs against Bun', 'throughput', 'CPU', ''], ...lines]
}

module.exports = { againstBun, bunLines, judge, targetLines }
