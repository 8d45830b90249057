/** Elements of the page: what shows the answers of the administration. */

export const $ = (selector) => document.querySelector(selector)

/** Makes an element. What comes from outside is text, never markup. */
export function element(name, text, properties = {}) {
  const made = Object.assign(document.createElement(name), properties)
  if (text !== undefined) made.textContent = text
  return made
}

export function button(text, label, onclick) {
  const made = element('button', text, { type: 'button', onclick })
  made.setAttribute('aria-label', label)
  return made
}

/** Fills a table, and shows what stands below it where there are no rows. */
export function fill(table, rows, key, cells) {
  const { tHead, tBodies } = $(`#${table}`)
  const heads = [...tHead.rows[0].cells].map(({ textContent }) => textContent)
  keep(tBodies[0], rows, key, (item, row = element('tr')) => {
    cells(item).forEach((cell, index) => {
      if (row.cells[index] === undefined) {
        row.insertCell().append(cell)
        // A row that is laid out as a list is still one, for those who hear it.
        row.role = 'row'
        row.cells[index].role = 'cell'
        row.cells[index].dataset.head = heads[index]
      } else if (typeof cell === 'string') row.cells[index].textContent = cell
    })
    return row
  })
  $(`#${table}`).hidden = rows.length === 0
  $(`#${table} + p`).hidden = rows.length > 0
}

/** Lets a list show these items. What stays keeps its place, so that the keyboard does not lose it. */
export function keep(list, items, key, show) {
  const known = new Map([...list.children].map((child) => [child.dataset.key, child]))
  for (const item of items) {
    const name = String(item[key])
    const shown = show(item, known.get(name))
    shown.dataset.key = name
    if (!known.delete(name)) list.append(shown)
  }
  for (const child of known.values()) {
    const next = child.nextElementSibling ?? child.previousElementSibling
    const section = list.closest('section')
    if (child.contains(document.activeElement)) {
      const heir = next?.querySelector('button') ?? section.querySelector('h2')
      heir.focus()
    }
    child.remove()
  }
}

/** Fills a choice of hybrid connections, and keeps what is chosen. */
export function choices(select, paths, first) {
  const wanted = [...first, ...paths]
  if ([...select.options].map(({ value }) => value).join() === wanted.join()) return
  const { value } = select
  select.replaceChildren(...wanted.map((path) => element('option', path || 'all', { value: path })))
  if (wanted.includes(value)) select.value = value
}

/** Puts an entry in front of a list, which keeps so many. */
export function prepend(list, item, most) {
  $(list).prepend(item)
  while ($(list).children.length > most) $(list).lastChild.remove()
}
