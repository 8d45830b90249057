'use strict'

// Bar charts as SVG, drawn by hand: a light background, no script, no font of their own.

const WIDTH = 860
const LABEL = 190
const RIGHT = 90
const BAR = 13
const GAP = 3
const GROUP_GAP = 14
const COLORS = {
  ws: '#9aa5b1',
  'ws-listener': '#9aa5b1',
  proxy: '#9aa5b1',
  bun: '#f2b880',
  'hyco-ws': '#c9a0c9',
  'hyco-rs': '#2f6fde',
  emulator: '#2f6fde',
}

/**
 * Horizontal bars in groups; a shorter bar is better unless the caption says otherwise.
 *
 * @param {object} chart
 * @param {string} chart.title
 * @param {string} chart.caption what a bar says
 * @param {Array<{name: string, title: string}>} chart.series
 * @param {Array<{label: string, values: Object<string, number>}>} chart.groups
 * @param {function(number): string} chart.text how a value is written
 * @param {number} [chart.line] where to draw a line, such as 1 for the measure of all
 * @param {number} [chart.cap] where longer bars are cut off; their values are written all the same
 * @return {string} the picture
 */
function bars({ title, caption, series, groups, text, line, cap = Infinity }) {
  const values = groups.flatMap((group) => Object.values(group.values)).filter(Number.isFinite)
  const top = Math.min(Math.max(...values, line ?? 0), cap) || 1
  const x = (value) => LABEL + (Math.min(value, top) / top) * (WIDTH - LABEL - RIGHT)
  const parts = []
  let y = 84
  const start = y
  for (const { label, values } of groups) {
    const shown = series.filter(({ name }) => Number.isFinite(values[name]))
    const height = shown.length * (BAR + GAP) - GAP
    parts.push(words(LABEL - 10, y + height / 2 + 4, label, 'text-anchor="end"'))
    for (const { name } of shown) {
      const width = Math.max(1, x(values[name]) - LABEL).toFixed(1)
      const color = COLORS[name] ?? '#777777'
      parts.push(
        `<rect x="${LABEL}" y="${y}" width="${width}" height="${BAR}" rx="2" fill="${color}"/>`,
        words(
          x(values[name]) + 5,
          y + BAR - 3,
          text(values[name]),
          'font-size="11" fill="#52606d"',
        ),
      )
      y += BAR + GAP
    }
    y += GROUP_GAP
  }
  const height = y + 8
  const axis = `<path d="M${LABEL} ${start - 8}V${y - 6}" stroke="#cbd2d9"/>`
  const mark =
    line === undefined
      ? ''
      : `<path d="M${x(line).toFixed(1)} ${start - 8}V${y - 6}" stroke="#7b8794" stroke-dasharray="3 3"/>`
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif" font-size="12" fill="#1f2933" role="img">
<title>${escape(title)}</title>
<rect width="${WIDTH}" height="${height}" rx="6" fill="#ffffff"/>
${words(20, 28, title, 'font-size="16" font-weight="600"')}
${words(20, 47, caption, 'fill="#52606d"')}
${legend(series)}
${axis}${mark}
${parts.join('\n')}
</svg>
`
}

function legend(series) {
  let x = 20
  return series
    .map(({ name, title }) => {
      const at = x
      x += 26 + title.length * 7
      return `<rect x="${at}" y="58" width="10" height="10" rx="2" fill="${COLORS[name] ?? '#777777'}"/>${words(at + 15, 67, title, 'font-size="11"')}`
    })
    .join('')
}

function words(x, y, text, attributes = '') {
  return `<text x="${Number(x.toFixed(1))}" y="${y}" ${attributes}>${escape(text)}</text>`
}

function escape(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

module.exports = { bars }
