'use strict'

const SECTIONS = {
  1: 'Framing',
  2: 'Pings and pongs',
  3: 'Reserved bits',
  4: 'Opcodes',
  5: 'Fragmentation',
  6: 'UTF-8',
  7: 'Close handling',
  9: 'Limits and performance',
  10: 'Miscellaneous',
}

const SIDES = {
  client: 'As a client: `relayedConnect` against the fuzzing server',
  listener: 'As a listener: the fuzzing client through the local relay to a `RelayedServer`',
}

const COLUMNS = ['OK', 'NON-STRICT', 'INFORMATIONAL', 'FAILED']

/**
 * Counts the outcomes of the suite.
 *
 * @param {String} name What was tested
 * @param {Object} reports Outcomes by case, for each side
 * @return {{ text: String, passed: Boolean }} A page about them
 */
function summarise(name, reports) {
  const failures = []
  const parts = Object.entries(reports).map(([side, report]) => {
    const remarks = exceptions(report)
    failures.push(...remarks.filter(({ outcome }) => outcome === 'FAILED'))
    return [`## ${SIDES[side]}`, table(report), list(remarks)].filter(Boolean).join('\n\n')
  })
  const text = `# Autobahn test suite

How ${name} fares in [Autobahn Test Suite](https://github.com/crossbario/autobahn-testsuite) 0.8.2,
the conformance suite for WebSockets. Written by \`scripts/autobahn.sh\`; sections 12 and 13 are about
compression, which a relay cannot carry. The limit of fragments (\`maxFragments\`) is lifted, since the
cases 9.3.1, 9.3.2, 9.4.1 and 9.4.2 send more than \`ws\` allows by default.

NON-STRICT is a permitted way of failing. In 6.4, text is checked when the message is whole, as \`ws\`
does, and not with every frame. In 3, 4 and 5, a relay ends the connection at the frame that breaks
the protocol, before the listener's echo of what came earlier is back. INFORMATIONAL cases have no
right or wrong.

${parts.join('\n\n')}
`
  return { text, passed: failures.length === 0 }
}

/**
 * @param {Object} report Outcomes by case
 * @return {String} Numbers by section
 */
function table(report) {
  const counts = new Map(Object.keys(SECTIONS).map((section) => [section, {}]))
  for (const [number, result] of Object.entries(report)) {
    const count = counts.get(number.split('.')[0])
    const outcome = judge(result)
    count[outcome] = (count[outcome] ?? 0) + 1
  }
  const rows = [...counts].map(([section, count]) => {
    const cases = COLUMNS.reduce((sum, outcome) => sum + (count[outcome] ?? 0), 0)
    const cells = COLUMNS.map((outcome) => count[outcome] ?? 0)
    return [`${section} ${SECTIONS[section]}`, cases, ...cells]
  })
  const total = rows.reduce(
    (sum, row) => sum.map((cell, n) => (n === 0 ? cell : cell + row[n])),
    ['all', 0, 0, 0, 0, 0],
  )
  return aligned([
    ['section', 'cases', 'ok', 'non-strict', 'informational', 'failed'],
    ...rows,
    total,
  ])
}

/**
 * @param {Array[]} rows The first is the head
 * @return {String} A table as prettier sets it
 */
function aligned(rows) {
  const widths = rows[0].map((_, n) => Math.max(...rows.map((row) => String(row[n]).length)))
  const line = (row) => {
    const cells = row.map((cell, n) =>
      n === 0 ? String(cell).padEnd(widths[n]) : String(cell).padStart(widths[n]),
    )
    return `| ${cells.join(' | ')} |`
  }
  const rule = widths.map((width, n) => (n === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  return [line(rows[0]), line(rule), ...rows.slice(1).map(line)].join('\n')
}

/**
 * @param {Object} report Outcomes by case
 * @return {Object[]} The cases that are not plainly OK
 */
function exceptions(report) {
  return Object.entries(report)
    .map(([number, result]) => ({ number, result, outcome: judge(result) }))
    .filter(({ outcome }) => outcome !== 'OK')
    .toSorted((a, b) => a.number.localeCompare(b.number, 'en', { numeric: true }))
}

/**
 * @param {Object[]} remarks Cases that are not plainly OK
 * @return {String}
 */
function list(remarks) {
  return remarks
    .map(({ number, result }) => `- ${number}: ${result.behavior}, closing ${result.behaviorClose}`)
    .join('\n')
}

/**
 * A case is as good as the worse of what was exchanged and how it was closed.
 *
 * @param {Object} result
 * @return {String} One of the columns
 */
function judge({ behavior, behaviorClose }) {
  if (!COLUMNS.includes(behavior)) return 'FAILED'
  return ['OK', 'INFORMATIONAL'].includes(behaviorClose) ? behavior : 'FAILED'
}

module.exports = { summarise }
