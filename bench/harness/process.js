'use strict'

// The memory of another process, as Linux tells it.

const fs = require('node:fs')

/**
 * @param {number} pid
 * @return {number} bytes of resident memory of a process
 */
function residentOf(pid) {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'latin1'))
  return Number(kilobytes) * 1024
}

module.exports = { residentOf }
