'use strict'

// Figures as text: for the terminal and for Markdown.

const COLUMNS = {
  rate: { title: 'per second', text: (value) => count(value), ratio: true },
  cpu: { title: 'CPU µs', text: (value) => short(value), ratio: true },
  main: { title: 'main thread µs', text: (value) => short(value), ratio: true },
  p50: { title: 'p50 µs', text: (value) => short(value), ratio: true },
  p99: { title: 'p99 µs', text: (value) => short(value), ratio: true },
  bytes: { title: 'KiB', text: (value) => short(value / 1024), ratio: true },
  blocked: { title: 'loop p99 ms', text: (value) => short(value / 1e3), ratio: false },
}

/**
 * @param {number} value
 * @return {string} with thousands separated
 */
function count(value) {
  return Math.round(value).toLocaleString('en-US')
}

/**
 * @param {number} value
 * @return {string} three significant digits
 */
function short(value) {
  if (!Number.isFinite(value)) return '–'
  if (value >= 100) return count(value)
  return value.toFixed(value >= 10 ? 1 : 2)
}

/**
 * The cells of a question: a line for every row and peer.
 *
 * @param {object} question its module
 * @param {object[]} rows their results
 * @param {function(string): string} title the name of a peer
 * @return {string[][]}
 */
function cells(question, rows, title) {
  const columns = question.columns.map((name) => ({ name, ...COLUMNS[name] }))
  const head = ['', '', '']
  for (const { title, ratio } of columns) head.push(title, ...(ratio ? ['ratio'] : []))
  const lines = [head]
  for (const { name, transport, peers } of rows) {
    for (const [peer, result] of Object.entries(peers)) {
      const line = [name, transport, title(peer) + (result.otherLoad > 0.95 ? ' *' : '')]
      if (result.error) line.push(`failed: ${result.error.slice(0, 100)}`)
      else {
        for (const column of columns) {
          line.push(column.text(result[column.name]))
          if (column.ratio) line.push(short(result.ratios[column.name]))
        }
      }
      lines.push(line)
    }
  }
  return lines
}

/**
 * @param {string[][]} lines
 * @param {number} left how many columns are words
 * @return {string} aligned for a terminal
 */
function terminal(lines, left = 3) {
  const widths = widthsOf(lines)
  const text = (line) =>
    line.map((cell, i) => (i < left ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ')
  return lines.map((line) => text(line).trimEnd()).join('\n')
}

/**
 * @param {string[][]} lines the first is the head
 * @param {number} left how many columns are words
 * @return {string} a Markdown table
 */
function markdown(lines, left = 3) {
  const width = lines[0].length
  const row = (line) => `| ${Array.from({ length: width }, (_, i) => line[i] ?? '').join(' | ')} |`
  const rule = Array.from({ length: width }, (_, i) => (i < left ? '---' : '--:'))
  return [row(lines[0]), `| ${rule.join(' | ')} |`, ...lines.slice(1).map(row)].join('\n')
}

function widthsOf(lines) {
  const widths = []
  for (const line of lines) {
    if (line.length !== lines[0].length) continue
    line.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)))
  }
  return widths
}

module.exports = { cells, count, markdown, short, terminal }
