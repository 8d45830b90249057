'use strict'

// What does the local relay take? The time until it is ready, memory and processor time with thousands of
// relayed connections, and memory after a hundred thousand short ones.
// `node crowd.js [--connections=5000] [--short=100000] [--program=/path/hyco-relay]`; without a program it
// measures the one in this package, in a Node.js of its own.

const { spawn } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const readline = require('node:readline')
const { setTimeout: sleep } = require('node:timers/promises')
const { parseArgs } = require('node:util')

const { machine } = require('./harness/machine')
const { usageOf } = require('./harness/measure')
const { residentOf } = require('./harness/process')
const { median } = require('./harness/statistics')
const { root } = require('./peers/hyco-rs')

const { createRelayedServer, relayedConnect } = require(root)

const STARTS = 11
const CONCURRENCY = 50
/** How long the crowd talks, in seconds: one message a second each way on every connection. */
const TALK = 10

async function main() {
  const { values } = parseArgs({
    options: {
      connections: { type: 'string', default: '5000' },
      short: { type: 'string', default: '100000' },
      program: { type: 'string' },
    },
  })
  const { processor, cores, system, node } = machine()
  console.log(`${processor}, ${cores} cores, ${system}, Node ${node}`)
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hyco-rs-crowd-'))
  try {
    await starts(values.program, folder)
    const relay = await start(values.program, folder)
    try {
      await strength(relay, Number(values.connections), Number(values.short))
    } finally {
      await relay.stop()
    }
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
}

/** Starts the relay; `ready` is the time from the command to the line that says so. */
async function start(program, folder) {
  const options = ['--port', '0', '--json', '--log', 'json', '--cert-dir', folder]
  const [command, args] = program
    ? [program, options]
    : [process.execPath, [path.join(root, 'bin', 'hyco-rs.js'), 'emulator', ...options]]
  const begun = performance.now()
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'] })
  const ended = once(child, 'exit')
  const [line] = await once(readline.createInterface({ input: child.stdout }), 'line')
  const ready = performance.now() - begun
  const stop = async () => {
    child.kill('SIGTERM')
    await ended
  }
  const [connectionString] = JSON.parse(line).connectionStrings
  return { connectionString, pid: child.pid, ready, stop }
}

/** The first start makes the authority of the certificates; later ones find it. */
async function starts(program, folder) {
  const times = []
  const ends = []
  for (let i = 0; i < STARTS; i++) {
    const relay = await start(program, folder)
    times.push(relay.ready)
    const asked = performance.now()
    await relay.stop()
    ends.push(performance.now() - asked)
  }
  const [first, ...later] = times
  console.log(`ready: ${first.toFixed(0)} ms the first time, then ${median(later).toFixed(0)} ms`)
  console.log(`ended: ${median(ends).toFixed(0)} ms after SIGTERM`)
}

async function strength({ pid, connectionString }, connections, short) {
  const server = createRelayedServer({ connectionString, maxPendingAccepts: 1000 }, (socket) => {
    socket.on('message', (data) => socket.send(data))
  })
  await once(server, 'listening')
  const open = async () => {
    const sender = relayedConnect(null, null, { connectionString })
    await once(sender, 'open')
    return sender
  }
  const shortOne = async () => {
    const sender = await open()
    sender.send('short')
    await once(sender, 'message')
    sender.close()
    await once(sender, 'close')
  }
  await many(1000, shortOne) // whatever is made once is made now
  const before = residentOf(pid)
  console.log(`memory: ${mega(before)} when nothing is connected, after 1,000 short connections`)

  let used = usageOf(pid)
  const senders = []
  await many(connections, async () => senders.push(await open()))
  const opened = usageOf(pid) - used
  const crowd = residentOf(pid)
  console.log(
    `${connections} connections: ${mega(crowd)}, ${((crowd - before) / connections / 1024).toFixed(1)} KiB each; ` +
      `opening one takes ${(opened / 1e3 / connections).toFixed(0)} µs of processor time`,
  )

  used = usageOf(pid)
  const begun = performance.now()
  let answers = 0
  for (const sender of senders) sender.on('message', () => answers++)
  for (let second = 0; second < TALK; second++) {
    for (const sender of senders) sender.send('a message of 64 bytes'.padEnd(64, '.'))
    await sleep(1000)
  }
  while (answers < connections * TALK) await sleep(10)
  const share = (usageOf(pid) - used) / 1e6 / (performance.now() - begun)
  console.log(
    `one message a second each way on every one: ${(share * 100).toFixed(0)} % of a core, ${mega(residentOf(pid))}`,
  )
  await Promise.all(
    senders.map((sender) => {
      sender.close()
      return once(sender, 'close')
    }),
  )
  await sleep(1000)
  console.log(`memory: ${mega(residentOf(pid))} after they were closed`)

  used = usageOf(pid)
  for (let done = 0; done < short; done += short / 5) {
    await many(short / 5, shortOne)
    console.log(`memory: ${mega(residentOf(pid))} after ${done + short / 5} short connections`)
  }
  console.log(`a short one takes ${((usageOf(pid) - used) / 1e3 / short).toFixed(0)} µs`)
  await server.close()
}

/** Does something so many times, some at a time. */
async function many(count, job) {
  let left = count
  const worker = async () => {
    while (left-- > 0) await job()
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, worker))
}

function mega(bytes) {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`
}

main()
