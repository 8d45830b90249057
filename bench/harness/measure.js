'use strict'

// What one process has used so far, and the difference between two such moments.
// Runs in every measured process, so in Node and in Bun.

const fs = require('node:fs')

/** Milliseconds; a quick run asks for less. */
const WARM_UP = Number(process.env.BENCH_WARM_UP ?? 400)

/**
 * Processor time of the main thread, in microseconds.
 *
 * @return {number} `NaN` where the system does not tell
 */
function mainThread() {
  try {
    const text = fs.readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'latin1')
    return Number(text.split(' ')[0]) / 1e3
  } catch {
    const used = process.threadCpuUsage?.()
    return used === undefined ? NaN : used.user + used.system
  }
}

/**
 * What this process has used until now.
 *
 * @return {{wall: number, cpu: number, main: number}} microseconds
 */
function usage() {
  const { user, system } = process.cpuUsage()
  return { wall: performance.now() * 1e3, cpu: user + system, main: mainThread() }
}

/**
 * What another process has used until now.
 *
 * @param {number} pid
 * @return {number} nanoseconds of processor time of all its threads
 */
function usageOf(pid) {
  const tasks = `/proc/${pid}/task`
  const times = fs.readdirSync(tasks).map((id) => {
    return Number(fs.readFileSync(`${tasks}/${id}/schedstat`, 'latin1').split(' ')[0])
  })
  return times.reduce((sum, time) => sum + time, 0)
}

/**
 * What was used per message since `start`.
 *
 * @param {{wall: number, cpu: number, main: number}} start what `usage` gave before
 * @param {number} messages how many messages were handled since
 * @return {{rate: number, cpu: number, main: number}} messages a second, microseconds a message
 */
function since(start, messages) {
  const end = usage()
  return {
    rate: (messages * 1e6) / (end.wall - start.wall),
    cpu: (end.cpu - start.cpu) / messages,
    main: (end.main - start.main) / messages,
  }
}

/**
 * Repeats a piece of work until code is compiled, pools are filled and windows have grown.
 *
 * @param {function(): Promise<void>} work
 * @param {number} [times] how many times as long as usual
 */
async function warmUp(work, times = 1) {
  const end = performance.now() + WARM_UP * times
  do await work()
  while (performance.now() < end)
}

/**
 * Resident memory after everything that can be collected has been.
 *
 * @return {Promise<number>} bytes
 */
async function resident() {
  const collect = globalThis.Bun ? () => globalThis.Bun.gc(true) : globalThis.gc
  for (let i = 0; i < 5; i++) {
    collect()
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  const pages = Number(fs.readFileSync('/proc/self/statm', 'latin1').split(' ')[1])
  return pages * 4096
}

module.exports = { resident, since, usage, usageOf, warmUp }
