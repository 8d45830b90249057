'use strict'

// One measurement in a process of its own: `worker.js JOB` prints one line of JSON.
// JOB is { question, peer, row, server }: which script, which peer, which row, where the Rust program is.

const path = require('node:path')
const Control = require('./control')

/**
 * @param {object} job what to measure
 * @return {Promise<object>} the figures
 */
async function measure({ question, peer, row, server }) {
  const script = require(path.join(__dirname, '..', question))
  const face = require(path.join(__dirname, '..', 'peers', peer))
  const control = new Control(server.control)
  const group = `${question}-${process.pid}`
  const scheme = row.secure ? `wss://localhost:${server.tls}` : `ws://127.0.0.1:${server.tcp}`
  const place = { url: `${scheme}/${group}`, base: scheme, ca: server.ca, server, group, control }
  return script.measure(face, row, place)
}

measure(JSON.parse(process.argv[2])).then(
  (figures) => {
    process.stdout.write(JSON.stringify(figures) + '\n', () => process.exit(0))
  },
  (error) => {
    process.stderr.write(`${error.stack}\n`, () => process.exit(1))
  },
)
