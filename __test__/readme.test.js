'use strict'

const assert = require('node:assert')
const { execFile } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { after, before, describe, it } = require('node:test')
const { promisify } = require('node:util')

const hyco = require('..')
require('./support/environment')

const root = path.join(__dirname, '..')
const run = promisify(execFile)
const readme = fs.readFileSync(path.join(root, 'README.md'), 'utf8')

/** A program that does not end by itself is ended, and the test fails. */
const TIMEOUT = { timeout: 300_000 }

/** How long a program of the documents may take, in milliseconds. */
const DEADLINE = 60_000

/**
 * @param {String} language
 * @return {String} The first block of the README in that language
 */
function block(language) {
  return new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'ms').exec(readme)[1]
}

/**
 * Replaces lines of a program as a diff says, and fails if a line to be replaced is not there.
 *
 * @param {String} program
 * @param {String} diff Pairs of lines, `-` and `+`
 * @return {String}
 */
function patch(program, diff) {
  const lines = diff.trimEnd().split('\n')
  assert.strictEqual(lines.length, 6)
  let patched = program
  for (let i = 0; i < lines.length; i += 2) {
    const [removed, added] = [lines[i], lines[i + 1]].map((line) => `${line.slice(1)}\n`)
    assert.ok(lines[i].startsWith('-') && lines[i + 1].startsWith('+'))
    assert.ok(patched.includes(removed), removed)
    patched = patched.replace(removed, added)
  }
  return patched
}

describe('README', TIMEOUT, () => {
  let folder

  before(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hyco-rs-readme-'))
    fs.mkdirSync(path.join(folder, 'node_modules'))
    fs.symlinkSync(root, path.join(folder, 'node_modules', 'hyco-rs'), 'junction')
  })

  after(() => {
    fs.rmSync(folder, { recursive: true })
  })

  /**
   * Runs a program as a user would, who has installed the package.
   *
   * @param {String} program
   * @param {Object} [env] Further variables of the environment
   * @return {Promise<Object>} What it wrote, when it has ended by itself with 0
   */
  function runProgram(program, env) {
    const file = path.join(folder, 'program.js')
    fs.writeFileSync(file, program)
    const options = { env: { ...process.env, ...env }, timeout: DEADLINE }
    return run(process.execPath, [file], options)
  }

  it('has a program of about twenty lines that runs as it is and ends by itself', async () => {
    const program = block('js')
    assert.ok(program.split('\n').length <= 25)
    const { stdout, stderr } = await runProgram(program)
    assert.strictEqual(stdout, 'you said: hello\n')
    assert.strictEqual(stderr, '')
  })

  it('names the three lines that change for another namespace', async () => {
    const rule = { keyName: 'RootManageSharedAccessKey', key: 'a key of some length' }
    const relay = await hyco.startRelayEmulator({ rules: [rule] })
    try {
      const program = patch(block('js'), block('diff'))
      const here = program.replace('contoso.servicebus.windows.net', relay.namespace)
      assert.notStrictEqual(here, program)
      const { stdout, stderr } = await runProgram(here, { RELAY_KEY: rule.key })
      assert.strictEqual(stdout, 'you said: hello\n')
      assert.strictEqual(stderr, '')
    } finally {
      await relay.close()
    }
  })

  it('has whole addresses where npm shows it, of files that are there', async () => {
    const { readmeForNpm } = await import('../scripts/readme.mjs')
    const { repository, version } = require('../package.json')
    const text = readmeForNpm(readme, repository.url, version)
    const links = Array.from(text.matchAll(/(!?)\[[^\]]*\]\(([^)]+)\)/g))
    assert.ok(links.length > 20)
    for (const [, image, link] of links) {
      assert.match(link, /^(?:https:\/\/|#)/)
      const ours = /^https:\/\/([^/]+)\/hyco-rs\/hyco-rs\/(?:blob\/)?v[\d.]+\/([^#]+)/.exec(link)
      if (!ours) continue
      const [, host, file] = ours
      assert.equal(host, image ? 'raw.githubusercontent.com' : 'github.com')
      assert.ok(fs.existsSync(path.join(root, file)), link)
    }
  })

  it('names commands that exist', () => {
    const { scripts } = require('../package.json')
    const contributing = fs.readFileSync(path.join(root, 'CONTRIBUTING.md'), 'utf8')
    const named = (readme + contributing).matchAll(/\bnpm (?:run ([\w:]+)|(start|test)\b)/g)
    for (const [command, script, short] of named) {
      assert.ok((script ?? short) in scripts, command)
    }
  })
})

describe('ARCHITECTURE', TIMEOUT, () => {
  it('names files that exist', () => {
    const places = ['lib', 'src', 'crates', 'bench', 'examples', '__test__', '.ci', 'docs']
    const inside = places.flatMap((place) =>
      fs.readdirSync(path.join(root, place), { recursive: true }).map((name) => `${place}/${name}`),
    )
    const files = [...fs.readdirSync(root), ...inside].map((name) => name.replaceAll('\\', '/'))
    const text = fs.readFileSync(path.join(root, 'ARCHITECTURE.md'), 'utf8')
    for (const [, name] of text.matchAll(/`([\w./-]+\.(?:rs|js|mjs|ts|json|md))`/g)) {
      const found = files.some((file) => file === name || file.endsWith(`/${name}`))
      assert.ok(found || fs.existsSync(path.join(root, name)), name)
    }
  })
})

describe('links of the documents', TIMEOUT, () => {
  const inside = (folder) =>
    fs
      .readdirSync(path.join(root, folder))
      .filter((name) => name.endsWith('.md'))
      .map((name) => path.join(folder, name))

  /** The anchors of a page, made from its headings as GitHub makes them. */
  function anchors(file) {
    const headings = fs.readFileSync(file, 'utf8').matchAll(/^#+ (.*)$/gm)
    return Array.from(headings, ([, heading]) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}_ -]/gu, '')
        .replaceAll(' ', '-'),
    )
  }

  for (const page of [...inside('.'), ...inside('docs')]) {
    it(`${page} leads to files and headings that exist`, () => {
      const text = fs.readFileSync(path.join(root, page), 'utf8')
      for (const [, link] of text.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)) {
        const [target, anchor] = link.split('#')
        const file = target === '' ? page : path.join(path.dirname(page), target)
        assert.ok(fs.existsSync(path.join(root, file)), link)
        if (anchor) assert.ok(anchors(path.join(root, file)).includes(anchor), link)
      }
    })
  }
})
