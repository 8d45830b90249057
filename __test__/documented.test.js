'use strict'

// Code, types and docs name the same things.

const assert = require('node:assert/strict')
const { readFileSync, readdirSync } = require('node:fs')
const { join } = require('node:path')
const { before, describe, it } = require('node:test')

const hyco = require('..')
const { NAMES } = require('../lib/diagnostics')
const https = require('../https')
const testing = require('../testing')
const Declarations = require('./support/declarations')

const TIMEOUT = { timeout: 300_000 }

const root = join(__dirname, '..')
const read = (name) => readFileSync(join(root, name), 'utf8')

/** What `EventEmitter` and symbols add to every type with events. */
const INHERITED =
  /^(__@|on$|once$|off$|addListener$|removeListener$|newListener$|removeListener$|emit$)/

/** The part of a page below a heading, with the headings below it. */
function section(page, heading) {
  const lines = read(page).split('\n')
  const start = lines.findIndex((line) => line.replace(/^#+ /, '') === heading && line[0] === '#')
  assert.ok(start >= 0, `${page} has no heading '${heading}'`)
  const level = lines[start].indexOf(' ')
  const length = lines
    .slice(start + 1)
    .findIndex((line) => /^#+ /.test(line) && line.indexOf(' ') <= level)
  return lines.slice(start, length < 0 ? undefined : start + 1 + length).join('\n')
}

/** The names in the first column of the tables of a text: `a`, `b()` and `'c'` are a, b and c. */
function firstColumn(text) {
  const cells = text.matchAll(/^\| ([^|]*`[^|]*)\|/gm)
  return Array.from(cells, ([, cell]) =>
    Array.from(cell.matchAll(/`'?([\w:-]+)[^`]*`/g), ([, name]) => name),
  ).flat()
}

const sorted = (names) => [...new Set(names)].sort()

describe('code, types and docs', TIMEOUT, () => {
  let types

  before(() => {
    const files = ['index', 'testing', 'https'].flatMap((name) => [`${name}.d.ts`, `${name}.d.mts`])
    types = new Declarations(...files)
  })

  const own = (file, name) => types.members(file, name).filter((member) => !INHERITED.test(member))

  it('export the same names for CommonJS and for ES modules', () => {
    for (const entry of ['index', 'testing', 'https']) {
      const wanted = sorted([...types.exports(`${entry}.d.ts`), 'default'])
      const given = sorted([...types.exports(`${entry}.d.mts`), 'default'])
      assert.deepEqual(given, wanted, entry)
    }
  })

  it('declare every value that is exported', () => {
    for (const [entry, module] of Object.entries({ index: hyco, testing, https })) {
      const declared = types.exports(`${entry}.d.ts`)
      for (const name of Object.keys(module)) {
        assert.ok(declared.includes(name) || isOfWs(entry, name), `${entry}: ${name}`)
      }
    }
  })

  // The constants of ws are static members of its class, and not of the namespace.
  const isOfWs = (entry, name) =>
    entry === 'index' && ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED'].includes(name)

  it('have a heading in docs/api.md for each export', () => {
    const headings = read('docs/api.md').match(/^##+ .*$/gm)
    for (const name of Object.keys(hyco)) {
      if (name in require('ws') || name === 'createRelayedListener') continue
      assert.ok(
        headings.some((heading) => new RegExp(`^##+ (?:Class: )?${name}\\b`).test(heading)),
        name,
      )
    }
  })

  it('have the same events of a server', () => {
    const events = own('index.d.ts', 'RelayedServerEvents')
    const page = section('docs/api.md', 'Class: RelayedServer')
    const documented = Array.from(page.matchAll(/^### Event: '(\w+)'$/gm), ([, name]) => name)
    assert.deepEqual(sorted(documented), events)

    const sources = ['lib/server', 'lib/http'].flatMap((folder) =>
      readdirSync(join(root, folder)).map((name) => read(join(folder, name))),
    )
    const emitted = sources.flatMap((text) =>
      Array.from(text.matchAll(/\b#?server\.emit\('(\w+)'/g), ([, name]) => name),
    )
    assert.ok(emitted.length > 8)
    for (const name of emitted) assert.ok(events.includes(name), name)
    for (const name of events) {
      assert.ok(
        sources.some((text) => text.includes(`'${name}'`)),
        name,
      )
    }
  })

  it('have the same events of a socket and of a control channel', () => {
    const socket = section('docs/api.md', 'Class: RelayedSocket')
    for (const name of own('index.d.ts', 'RelayedSocketEvents')) {
      assert.ok(socket.includes(`\`'${name}'\``), name)
    }
    const channel = section('docs/api.md', 'server.controlChannel')
    for (const name of own('index.d.ts', 'RelayedControlChannelEvents')) {
      assert.ok(channel.includes(`\`'${name}'\``), name)
    }
  })

  it('have the same members of a server', () => {
    const page = section('docs/api.md', 'Class: RelayedServer')
    const documented = Array.from(page.matchAll(/^### .*\bserver\..*$/gm), ([heading]) =>
      Array.from(heading.matchAll(/server\.(\w+)/g), ([, name]) => name),
    ).flat()
    // docs/differences-from-ws.md has these, which are there to be refused.
    const refused = ['handleUpgrade', 'shouldHandle']
    assert.deepEqual(sorted([...documented, ...refused]), own('index.d.ts', 'RelayedServer'))
    const differences = read('docs/differences-from-ws.md')
    for (const name of refused) assert.ok(differences.includes(`\`${name}()\``), name)
  })

  it('have the same counts in metrics()', () => {
    const page = section('docs/api.md', 'server.metrics()')
    for (const name of own('index.d.ts', 'RelayedServerMetrics')) {
      assert.ok(page.includes(`\`${name}\``), name)
    }
  })

  it('have the same members of a socket, beside those of ws', () => {
    const headings = section('docs/api.md', 'Class: RelayedSocket')
      .match(/^### .*$/gm)
      .join('\n')
    const added = own('index.d.ts', 'RelayedSocket')
    assert.ok(added.length > 0)
    for (const name of added) assert.ok(headings.includes(`socket.${name}`), name)
  })

  it('have the same options of a server', () => {
    const page = section('docs/api.md', 'new RelayedServer(options[, onListening])')
    const tables = page.split(/^#### /m)[0]
    const documented = firstColumn(tables)
    const options = own('index.d.ts', 'RelayedServerOptions')
    // hyco-ws has these two, and ignores them as well: docs/migrating-from-hyco-ws.md.
    const ignored = ['backlog', 'disableHixie']
    assert.deepEqual(sorted([...documented, ...ignored]), options)
    const migrating = read('docs/migrating-from-hyco-ws.md')
    for (const name of ignored) assert.ok(migrating.includes(`\`${name}\``), name)
    assert.deepEqual(
      unknown((given) => new hyco.RelayedServer(given), options),
      [],
    )
  })

  it('have the same options of a sender', () => {
    const page = section('docs/api.md', 'relayedConnect(address[, token[, options]][, fn])')
    const everySocket = own('index.d.ts', 'SocketOptions')
    const ofTls = own('index.d.ts', 'TlsOptions')
    const documented = [...firstColumn(page), ...everySocket, ...ofTls]
    const options = own('index.d.ts', 'RelayedConnectOptions')
    assert.deepEqual(sorted(documented), options)
    const connect = (given) => hyco.relayedConnect('no address', null, given)
    assert.deepEqual(unknown(connect, options), [])
  })

  /** The options of which a warning says that they have no effect, when all are given. */
  function unknown(make, options) {
    const warnings = []
    const { emitWarning } = process
    process.emitWarning = (text, { code } = {}) => {
      if (code === 'HYCO_WARN_UNKNOWN_OPTION') warnings.push(text)
    }
    try {
      // Values that are refused: what matters comes before anything is opened.
      assert.throws(() => make(Object.fromEntries(options.map((name) => [name, Symbol(name)]))))
    } finally {
      process.emitWarning = emitWarning
    }
    return warnings
  }

  it('have the same options and members of the local relay', () => {
    const page = read('docs/emulator.md')
    const documented = firstColumn(page)
    for (const name of own('index.d.ts', 'RelayEmulatorOptions')) {
      assert.ok(documented.includes(name), `option ${name}`)
    }
    for (const name of own('index.d.ts', 'RelayEmulator')) {
      assert.ok(documented.includes(name), `member ${name}`)
    }
  })

  it('have the same options and members of the testing kit', () => {
    const page = read('docs/testing.md')
    for (const name of own('testing.d.ts', 'RelayKitOptions')) {
      assert.ok(page.includes(`\`${name}\``), `option ${name}`)
    }
    for (const name of own('testing.d.ts', 'RelayKit')) {
      assert.ok(page.includes(`\`kit.${name}`), `member ${name}`)
    }
  })

  it('have the same diagnostics channels, with the same members', () => {
    const names = NAMES.map((name) => `hyco-rs:${name}`)
    const page = section('docs/api.md', 'Diagnostics')
    assert.deepEqual(sorted(firstColumn(page)), sorted(names))
    assert.deepEqual(own('index.d.ts', 'DiagnosticsMessages'), sorted(names))
  })

  it('name sections of docs/protocol.md that are there', () => {
    const folders = readdirSync(join(root, 'crates')).map((name) => `crates/${name}/src`)
    const sources = ['lib', 'src', ...folders].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true })
        .filter((name) => /\.(?:js|rs)$/.test(name))
        .map((name) => read(join(folder, name))),
    )
    const named = sources.flatMap((text) =>
      // In a comment, the end of a line may stand between the words.
      Array.from(text.matchAll(/docs\/protocol\.md,[\s/*]+(\d\.\d+)/g), ([, number]) => number),
    )
    assert.ok(named.length > 10)
    for (const number of new Set(named)) {
      assert.match(read('docs/protocol.md'), new RegExp(`^### ${number} `, 'm'), number)
    }
  })

  it('have the same codes of warnings', () => {
    const codes = (text) => sorted(text.match(/\bHYCO_WARN_[A-Z_]+\b/g) ?? [])
    const sources = readdirSync(join(root, 'lib'), { recursive: true })
      .filter((name) => name.endsWith('.js'))
      .map((name) => read(join('lib', name)))
    assert.deepEqual(codes(read('docs/errors.md')), codes(sources.join('\n')))
  })
})
