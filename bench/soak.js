'use strict'

// Does everything arrive, once and in order, and does memory stay where it is? Mixed traffic over the
// whole path: 200 sockets, half over TLS, messages of 1 B to 8 MiB, random pauses at both ends.
// `node soak.js [--minutes=10] [--sockets=200]`; ends with 1 when something went wrong.

const { fork } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { parseArgs } = require('node:util')

const { machine } = require('./harness/machine')
const program = require('./harness/program')
const { startRelay } = require('./harness/relay')
const { median } = require('./harness/statistics')

const SAMPLE_EVERY = 2_000
const PRINT_EVERY = 15
/** Messages of 8 MiB come and go: the resident memory of a process may breathe by so much. */
const BREATH = 32 * 2 ** 20
const BREATH_SHARE = 0.15

async function soak() {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '10' },
      sockets: { type: 'string', default: '200' },
    },
  })
  const minutes = Number(values.minutes)
  const sockets = Number(values.sockets)
  const { processor, cores, system, node } = machine()
  console.log(
    `${processor}, ${cores} cores, ${system}, Node ${node}: ${minutes} min, ${sockets} sockets`,
  )

  const server = await program.start(program.build(), [])
  const relays = [await startRelay(server, false), await startRelay(server, true)]
  const job = { ca: server.ca, minutes, sockets, relays }
  const listener = child('listener.js', job)
  await message(listener, 'ready')
  const sender = child('sender.js', job)
  const watch = watchMemory({
    'relay (plain)': relays[0].pid,
    'relay (TLS)': relays[1].pid,
    listener: listener.pid,
    sender: sender.pid,
  })
  sender.on('message', ({ type, ...counts }) => type === 'progress' && watch.note(counts))
  const result = await message(sender, 'done')
  const memory = watch.stop()

  const ended = [listener, sender].map(
    (process) => new Promise((done) => process.once('exit', done)),
  )
  for (const process of [listener, sender]) process.send({ type: 'stop' })
  await Promise.all(ended)
  await Promise.all([...relays, server].map((process) => process.stop()))
  report(result, memory)
}

function child(file, job) {
  return fork(path.join(__dirname, 'soak', file), [JSON.stringify(job)], { stdio: 'inherit' })
}

/** Waits for a message of that type; a process that ends before has failed. */
function message(process, type) {
  return new Promise((resolve, reject) => {
    process.on('message', (found) => found.type === type && resolve(found))
    process.once('exit', (code) => reject(new Error(`a process ended with ${code}`)))
  })
}

function watchMemory(pids) {
  const samples = Object.fromEntries(Object.keys(pids).map((name) => [name, []]))
  let counts = {}
  let count = 0
  const timer = setInterval(() => {
    for (const [name, pid] of Object.entries(pids)) {
      const pages = Number(fs.readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1])
      samples[name].push(pages * 4096)
    }
    if (++count % PRINT_EVERY) return
    const now = Object.entries(samples).map(([name, all]) => `${name} ${mebibytes(all.at(-1))}`)
    console.log(
      `${(count * SAMPLE_EVERY) / 1e3} s: ${counts.messages} messages, ${mebibytes(counts.bytes)}; ${now.join(', ')}`,
    )
  }, SAMPLE_EVERY)
  return {
    note: (found) => (counts = found),
    stop() {
      clearInterval(timer)
      return samples
    },
  }
}

function report({ messages, bytes, failures, closed }, memory) {
  console.log(
    `\n${messages} messages, ${mebibytes(bytes)} came back; ${closed} sockets closed with 1000`,
  )
  console.log(`lost, doubled, out of order or damaged: ${failures.length}`)
  for (const failure of failures.slice(0, 10)) console.log(`  ${failure}`)
  let flat = true
  for (const [name, samples] of Object.entries(memory)) {
    const fifth = Math.max(1, Math.floor(samples.length / 5))
    const early = median(samples.slice(fifth, 2 * fifth).concat(samples[fifth] ?? samples[0]))
    const late = median(samples.slice(-fifth))
    const steady = late <= early * (1 + BREATH_SHARE) + BREATH
    flat &&= steady
    const words = `${mebibytes(early)} early, ${mebibytes(late)} late, ${mebibytes(Math.max(...samples))} at most`
    console.log(`memory of ${name}: ${words}${steady ? '' : ': GREW'}`)
  }
  const good = failures.length === 0 && flat
  console.log(good ? 'passed' : 'FAILED')
  process.exitCode = good ? 0 : 1
}

function mebibytes(bytes) {
  return `${Math.round(bytes / 2 ** 20).toLocaleString('en-US')} MiB`
}

soak().catch((error) => {
  console.error(error.stack)
  process.exit(1)
})
