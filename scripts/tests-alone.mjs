// Runs tests for the two scripts that change the sources, and leaves nothing of a run behind.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'

/** Milliseconds that the first run of tests has, with nothing changed. */
const FIRST_DEADLINE = 300_000

/** A change may make tests hang: they have so many times what the tests of nothing changed took. */
const PATIENCE = 4

/** Milliseconds that they have on top of that, since the machine may be busier than it was. */
const ALLOWANCE = 15_000

const deadlines = new Map()
let running

// A group of its own does not hear of Ctrl+C.
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    end(running)
    process.exit(130)
  })
}

/**
 * Whether a program of tests passes within its deadline, which its first run decides. What it
 * started is ended with it: tests that hang leave relays and programs behind.
 */
export async function passes(program, args, options) {
  const name = [program, ...args].join(' ')
  const started = performance.now()
  // A group of its own, which can be ended as a whole.
  running = spawn(program, args, { ...options, stdio: 'ignore', detached: true })
  const timer = setTimeout(end, deadlines.get(name) ?? FIRST_DEADLINE, running)
  const [status] = await once(running, 'exit')
  clearTimeout(timer)
  end(running)
  if (!deadlines.has(name)) {
    deadlines.set(name, PATIENCE * (performance.now() - started) + ALLOWANCE)
  }
  return status === 0
}

function end(child) {
  try {
    process.kill(-child?.pid, 'SIGKILL')
  } catch {
    // Nothing of it is left.
  }
}
