'use strict'

// What the figures were measured on.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')

/**
 * @return {object} processor, cores, memory, kernel, Node version, load at the start
 */
function machine() {
  return {
    processor: os.cpus()[0]?.model ?? 'unknown',
    cores: os.cpus().length,
    memory: `${Math.round(os.totalmem() / 2 ** 30)} GiB`,
    system: `${os.type()} ${os.release()} ${os.arch()}`,
    node: process.version,
    load: Number(os.loadavg()[0].toFixed(2)),
  }
}

/**
 * The version of a package that is installed for the benchmarks.
 *
 * @param {string} name
 * @return {string|undefined}
 */
function version(name) {
  const roots = [path.join(__dirname, '..', 'node_modules', name), path.join(__dirname, '..', '..')]
  for (const root of roots) {
    try {
      const found = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'))
      if (found.name === name) return found.version
    } catch {
      // Looked for in the next place.
    }
  }
  return undefined
}

module.exports = { machine, version }
