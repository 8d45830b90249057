'use strict'

// Runs the rows of a question: A B C A B C …, every measurement in a process of its own.

const { spawn } = require('node:child_process')
const os = require('node:os')
const path = require('node:path')

const { median } = require('./statistics')

const DEADLINE = 180_000

/** The processor of rows that have one alone. */
const PROCESSOR = os.availableParallelism() > 1 ? '1' : '0'

/** The turns of rows that show how others grow, what small crowds cost, or one processor changes. */
const FEWER_RUNS = 3
const worker = path.join(__dirname, 'worker.js')

/**
 * Measures once.
 *
 * @param {object} job what `worker.js` takes
 * @param {object} face the peer's module
 * @param {Object<string, string>} env environment variables
 * @return {Promise<object>} the figures
 */
function once(job, face, env) {
  const args = [worker, JSON.stringify(job)]
  let [command, flags] = face.program
    ? [face.program, []]
    : [process.execPath, ['--expose-gc', '--no-warnings']]
  if (job.row.pinned) [command, flags] = ['taskset', ['-c', PROCESSOR, command, ...flags]]
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...flags, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    })
    let out = ''
    let errors = ''
    child.stdout.on('data', (chunk) => (out += chunk))
    child.stderr.on('data', (chunk) => (errors += chunk))
    const timer = setTimeout(() => child.kill('SIGKILL'), DEADLINE)
    child.once('error', reject)
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      const last = out.trim().split('\n').at(-1)
      if (code === 0 && last) resolve(JSON.parse(last))
      else reject(new Error(errors.trim().split('\n').slice(0, 3).join(' ') || `ended: ${signal}`))
    })
  })
}

/**
 * Measures a row with all peers, interleaved.
 *
 * @param {object} question its module, with `name`
 * @param {object} row
 * @param {string[]} peers
 * @param {{runs: number, server: object, env: object, progress: function(string)}} options
 * @return {Promise<object>} medians and ratios of each peer
 */
async function runRow(question, row, peers, { runs: asked, server, env, progress }) {
  const runs = row.growth ? Math.min(asked, FEWER_RUNS) : asked
  const samples = Object.fromEntries(peers.map((peer) => [peer, []]))
  const errors = {}
  for (let run = 1; run <= runs; run++) {
    for (const peer of peers) {
      if (errors[peer]) continue
      progress(`${question.name} ${row.name} ${row.transport}: ${peer} ${run}/${runs}`)
      const face = require(path.join(__dirname, '..', 'peers', peer))
      try {
        const job = { question: question.name, peer, row, server }
        samples[peer].push(await once(job, face, env))
      } catch (error) {
        errors[peer] = error.message
      }
    }
  }
  const results = {}
  for (const peer of peers) {
    results[peer] = errors[peer]
      ? { error: errors[peer] }
      : summarize(samples[peer], samples[question.baseline])
  }
  return results
}

/**
 * @param {object[]} own what the runs of a peer gave
 * @param {object[]} [base] what those of the baseline gave
 * @return {object} the median of every figure, and of its ratio to the baseline's in the same run
 */
function summarize(own, base) {
  const medians = {}
  const ratios = {}
  for (const key of Object.keys(own[0])) {
    medians[key] = median(own.map((sample) => sample[key]))
    if (base?.length === own.length) {
      ratios[key] = median(own.map((sample, run) => sample[key] / base[run][key]))
    }
  }
  if (medians.other !== undefined) medians.otherLoad = (medians.other * medians.rate) / 1e6
  return { ...medians, ratios, samples: own }
}

module.exports = { FEWER_RUNS, runRow }
