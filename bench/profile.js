'use strict'

// Where does the time go? Runs rows of the benchmarks under `perf` and sorts the samples by what was
// being done. `node profile.js [QUESTION…] [--only=TEXT] [--peer=hyco-rs] [--write]`; needs Linux and
// perf. `--write` puts the table into docs/performance.md.
// hyco-rs should be built with symbols: CARGO_PROFILE_RELEASE_STRIP=none npm run build.

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { parseArgs } = require('node:util')

const program = require('./harness/program')
const { machine } = require('./harness/machine')
const { format } = require('./harness/report')
const { markdown } = require('./harness/table')

/** Samples of the first seconds are of loading and of compiling; accepting is over sooner. */
const SKIP_SECONDS = { accept: 0.25 }
const OTHER_SKIP_SECONDS = 1
const FREQUENCY = 1999
/** A profile wants more messages than a measurement, small ones most of all. */
const SCALE = { '64 B': 30 }
const OTHER_SCALE = 5

/** What a sample is put down to: the first whose pattern is found in its frames, innermost first. */
const KERNEL = [
  [
    'sockets',
    /^(tcp_|inet_|sock_|__sys_(sendto|recvfrom)|net_rx_action|__x64_sys_(send|recv|read|write))/,
  ],
  ['memory', /page_fault|mmap|munmap|__do_sys_brk|madvise/],
  ['waking', /epoll|eventfd|futex|schedule|wake/],
]
const USER = [
  ['encryption', /aes|gcm|ghash|chacha20_poly|ring_core|rustls/i],
  ['copying', /mem(move|cpy|set)/],
  ['collection', /Scaveng|MarkCompact|Mark(ing|er)|Sweep|Heap::|GarbageCollect|ConcurrentMark/],
  ['compilation', /v8::internal::(compiler|Compil|Optimiz|interpreter|Pars)/],
  ['hyco-rs', /hyco_|tokio|chacha_permute|rng_inner/],
  ['JavaScript', /^(JS|Eval|Script|RegExp):|^Builtins_|^v8::/],
]
const QUESTIONS = ['receive', 'send', 'echo', 'round-trip', 'relay', 'accept']
const page = path.join(__dirname, '..', 'docs', 'performance.md')
const START = '<!-- profile:start -->'
const END = '<!-- profile:end -->'
const COLUMNS = [
  'sockets',
  'waking',
  'memory',
  'other kernel',
  'encryption',
  'copying',
  'hyco-rs',
  'JavaScript',
  'collection',
  'compilation',
  'other',
]

async function profile() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      only: { type: 'string', multiple: true, default: [] },
      peer: { type: 'string', default: 'hyco-rs' },
      write: { type: 'boolean', default: false },
    },
  })
  const questions = positionals.length > 0 ? positionals : QUESTIONS
  const built = program.build()
  const server = { ...(await program.start(built, [])), program: built }
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hyco-rs-profile-'))
  const lines = [['', '', 'CPU µs', ...COLUMNS]]
  try {
    for (const question of questions) {
      for (const row of require(path.join(__dirname, question)).rows) {
        const label = `${question} ${row.name} ${row.transport}`
        if (
          row.growth ||
          row.count === undefined ||
          !values.only.every((text) => label.includes(text))
        )
          continue
        const job = {
          question,
          peer: values.peer,
          row: { ...row, count: row.count * (SCALE[row.name] ?? OTHER_SCALE) },
          server,
        }
        const { cpu, shares } = measure(job, folder)
        const cells = COLUMNS.map((name) => `${Math.round((shares[name] ?? 0) * 100)} %`)
        lines.push([`${question} ${row.name}`, row.transport, cpu.toFixed(2), ...cells])
        console.log(label, cpu.toFixed(2), shares)
      }
    }
  } finally {
    fs.rmSync(folder, { recursive: true })
    await server.stop()
  }
  const table = markdown(lines, 2)
  console.log(`\n${table}`)
  if (values.write) write(table)
}

/** Renews the table of docs/performance.md. */
function write(table) {
  const text = fs.readFileSync(page, 'utf8')
  const [from, to] = [text.indexOf(START) + START.length, text.indexOf(END)]
  const { processor, node } = machine()
  const about = `${new Date().toISOString().slice(0, 10)}, ${processor}, Node ${node}.`
  fs.writeFileSync(page, `${text.slice(0, from)}\n\n${about}\n\n${table}\n\n${text.slice(to)}`)
  format([page])
}

function measure(job, folder) {
  const data = path.join(folder, 'perf.data')
  const worker = path.join(__dirname, 'harness', 'worker.js')
  const node = [process.execPath, '--perf-basic-prof', '--expose-gc', worker, JSON.stringify(job)]
  const record = ['record', '-q', '-o', data, '-F', String(FREQUENCY), '-g', '--', ...node]
  const options = {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 2 ** 30,
  }
  const out = execFileSync('perf', record, options)
  const { cpu } = JSON.parse(out.trim().split('\n').at(-1))
  const fields = ['script', '-i', data, '-F', 'comm,pid,time,ip,sym,dso']
  const skip = SKIP_SECONDS[job.question] ?? OTHER_SKIP_SECONDS
  const shares = sort(execFileSync('perf', fields, options), skip)
  return { cpu, shares }
}

/** The share of every kind of work, and in `hyco-io` that of the I/O thread. */
function sort(script, skip) {
  const counts = {}
  let all = 0
  let start
  let process
  for (const sample of script.split('\n\n')) {
    const [head, ...frames] = sample.split('\n').filter(Boolean)
    const [, pid, time] = /(\d+)\s+(\d+\.\d+):/.exec(head ?? '') ?? []
    if (frames.length === 0 || time === undefined) continue
    start ??= Number(time)
    process ??= pid
    // The others are what it started: the local relay.
    if (pid !== process || Number(time) - start < skip) continue
    all++
    const kind = kindOf(frames.map(parseFrame))
    counts[kind] = (counts[kind] ?? 0) + 1
    if (/^\s*hyco-io/.test(head)) counts['hyco-io'] = (counts['hyco-io'] ?? 0) + 1
  }
  return Object.fromEntries(Object.entries(counts).map(([kind, count]) => [kind, count / all]))
}

function parseFrame(line) {
  const found = /^\s*[0-9a-f]+ (.*) \((.*)\)$/.exec(line)
  return found ? { symbol: found[1], object: found[2] } : { symbol: '', object: '' }
}

function kindOf(frames) {
  const first = frames[0]
  if (/kernel|vmlinux|\[k\]|vdso/.test(first.object)) {
    for (const { symbol } of frames) {
      const found = KERNEL.find(([, pattern]) => pattern.test(symbol))
      if (found) return found[0]
    }
    return 'other kernel'
  }
  for (const { symbol, object } of frames) {
    const found = USER.find(([, pattern]) => pattern.test(symbol))
    if (found) return found[0]
    if (/hyco-rs/.test(object)) return 'hyco-rs'
    if (/perf-\d+\.map/.test(object)) return 'JavaScript'
  }
  return 'other'
}

profile().catch((error) => {
  console.error(error.stack)
  process.exitCode = 1
})
