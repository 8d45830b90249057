'use strict'

// The rows of a table: what is measured, and how often.

const BYTES = { '64 B': 64, '16 KiB': 16 * 1024, '1 MiB': 1024 * 1024 }

/**
 * A row over plain TCP and one over TLS.
 *
 * @param {object} row its name and parameters
 * @param {string[]} [over] only these
 * @return {object[]}
 */
function transports(row, over = ['tcp', 'tls']) {
  return over.map((transport) => ({ ...row, transport, secure: transport === 'tls' }))
}

/**
 * Rows for every size of message.
 *
 * @param {Object<string, number>} counts how many messages of each size
 * @param {string[]} [over] only these transports
 * @return {object[]}
 */
function sizes(counts, over) {
  return Object.entries(counts).flatMap(([name, count]) =>
    transports({ name, size: BYTES[name], count }, over),
  )
}

/**
 * The same rows with the measured process on one processor, as in a container that has no more;
 * without Bun, which is compared where all have two.
 *
 * @param {object[]} rows
 * @return {object[]}
 */
function pinned(rows) {
  return rows.map((row) => ({
    ...row,
    name: `${row.name}, one processor`,
    pinned: true,
    growth: true,
    without: ['bun'],
  }))
}

module.exports = { pinned, sizes, transports }
