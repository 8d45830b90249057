// Writes the tables of docs/cli.md from the definitions of the commands.

import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const { markdown } = createRequire(import.meta.url)('../lib/cli/help.js')

const page = new URL('../docs/cli.md', import.meta.url)
const text = readFileSync(page, 'utf8')
const [start, end] = ['<!-- commands:start -->', '<!-- commands:end -->']
const before = text.slice(0, text.indexOf(start) + start.length)
const after = text.slice(text.indexOf(end))
writeFileSync(page, `${before}\n\n${markdown()}\n${after}`)
