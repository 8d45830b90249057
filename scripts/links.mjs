// Finds the links of a static site that lead nowhere.

import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'

const LINK = /\b(?:href|src)="([^"]*)"/g
const ANCHOR = /\b(?:id|name)="([^"]*)"/g
const ELSEWHERE = /^(?:[a-z][a-z+.-]*:|\/\/)/i

/**
 * @param {String} site The folder of the site
 * @return {{ links: Number, broken: String[] }} How many links to its own pages there are, and those that
 *     name a file or an anchor that is not there
 */
export function checkLinks(site) {
  const pages = readdirSync(site, { recursive: true }).filter((name) => name.endsWith('.html'))
  const anchors = new Map()
  const broken = []
  let links = 0
  for (const page of pages.map((name) => join(site, name))) {
    for (const [, link] of readFileSync(page, 'utf8').matchAll(LINK)) {
      if (link === '' || ELSEWHERE.test(link)) continue
      links++
      if (!leadsSomewhere(page, link)) broken.push(`${relative(site, page)}: ${link}`)
    }
  }
  return { links, broken }

  function leadsSomewhere(page, link) {
    const [path, anchor] = link.split('#', 2).map(decodeURIComponent)
    const file = path === '' ? page : resolve(dirname(page), path.split('?', 1)[0])
    if (!existsSync(file)) return false
    return !anchor || !file.endsWith('.html') || anchorsOf(file).has(anchor)
  }

  function anchorsOf(file) {
    if (!anchors.has(file)) {
      const found = readFileSync(file, 'utf8').matchAll(ANCHOR)
      anchors.set(file, new Set(Array.from(found, ([, name]) => name)))
    }
    return anchors.get(file)
  }
}
