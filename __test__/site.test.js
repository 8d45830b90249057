'use strict'

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const { after, before, describe, it } = require('node:test')

const TIMEOUT = { timeout: 300_000 }

const root = join(__dirname, '..')

describe('the site of the documentation', TIMEOUT, () => {
  let folder

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'hyco-rs-site-'))
  })

  after(() => rmSync(folder, { recursive: true }))

  it('is built without a warning, and none of its links leads nowhere', () => {
    const args = [join(root, 'scripts', 'docs.mjs'), join(folder, 'site')]
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    assert.equal(status, 0, stdout + stderr)
    assert.match(stdout, /[1-9]\d{3,} links lead somewhere/)
  })

  it('has a page for each of docs/, and what is searched', () => {
    const site = join(folder, 'site')
    const pages = readdirSync(join(site, 'documents')).map((name) => {
      const text = readFileSync(join(site, 'documents', name), 'utf8')
      return /<title>(.*) \| hyco-rs<\/title>/.exec(text)[1]
    })
    const titles = new Set(pages)
    for (const name of readdirSync(join(root, 'docs')).filter((file) => file.endsWith('.md'))) {
      const [, title] = /^# (.*)$/m.exec(readFileSync(join(root, 'docs', name), 'utf8'))
      assert.ok(titles.has(title), title)
    }
    assert.match(readFileSync(join(site, 'assets', 'search.js'), 'utf8'), /^window\.searchData = /)
  })

  it('would not be built with a link that leads nowhere', async () => {
    const { checkLinks } = await import('../scripts/links.mjs')
    const page = '<h1 id="top"></h1><a href="#top"></a><a href="https://elsewhere.example"></a>'
    writeFileSync(join(folder, 'good.html'), page)
    const links = ['none.html', 'good.html#none', '#none', 'good.html#top']
    writeFileSync(join(folder, 'bad.html'), links.map((link) => `<a href="${link}">`).join(''))
    rmSync(join(folder, 'site'), { recursive: true })
    assert.deepEqual(checkLinks(folder), {
      links: 5,
      broken: ['bad.html: none.html', 'bad.html: good.html#none', 'bad.html: #none'],
    })
  })
})
