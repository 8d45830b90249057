'use strict'

// Every program of the documents runs. support/snippets.js says how a document names the way.

const assert = require('node:assert/strict')
const { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const { after, afterEach, before, describe, it } = require('node:test')

const { COMMANDS } = require('../lib/cli/commands')
const { parse } = require('../lib/cli/parse')
const Program = require('./support/children')
const TestRelay = require('./support/relay')
const { pages, snippetsOf } = require('./support/snippets')
const { until } = require('./support/watch')

const TIMEOUT = { timeout: 300_000 }

/** What `given` may name: how each comes to be, in a module with top-level await. */
const GIVEN = {
  // The names of Jest and Vitest.
  jest: "import { after as afterAll, afterEach, before as beforeAll, test } from 'node:test'",
  hyco: "import hyco from 'hyco-rs'",
  relay: 'const relay = await hyco.startRelayEmulator()',
  address: "const address = hyco.createRelaySendUri(relay.namespace, 'hyco')",
  token: 'const token = hyco.createRelayToken(address, relay.keyName, relay.key)',
  server: `const server = hyco.createRelayedServer(
    { connectionString: relay.connectionString, path: 'hyco' },
    (socket) => socket.send('hello', () => socket.close()),
  )
  await new Promise((resolve) => server.once('listening', resolve))`,
  options: "const options = { connectionString: relay.connectionString, path: 'hyco' }",
}

/** What Jest has, for a program in CommonJS. */
const JEST = `
  const { after: afterAll, afterEach, before: beforeAll, test } = require('node:test')
  const expect = (value) => ({
    toContain: (part) => require('node:assert').ok(value.includes(part), value),
  })
`

/** What ends those that keep the process alive, in the order of their ends. */
const ENDS = { server: 'await server.close()', relay: 'await relay.close()' }

// Those of docs/emulator-clients.md need foreign clients: emulator-clients.test.js runs them.
const snippets = pages()
  .filter((page) => page !== 'docs/emulator-clients.md')
  .flatMap(snippetsOf)
const programs = snippets.filter(({ language }) => /^(?:js|mjs|ts)$/.test(language))

describe('the programs of the documents', TIMEOUT, () => {
  let folder
  let relay
  let running = []

  before(async () => {
    relay = await TestRelay.start({ hybridConnections: ['hyco'] })
    folder = mkdtempSync(join(tmpdir(), 'hyco-rs-snippets-'))
    mkdirSync(join(folder, 'node_modules'))
    const target = join(folder, 'node_modules', 'hyco-rs')
    symlinkSync(join(__dirname, '..'), target, 'junction')
  })

  after(async () => {
    await relay.close()
    rmSync(folder, { recursive: true })
  })

  afterEach(async () => {
    await Promise.all(running.map((program) => program.end()))
    running = []
    // The next one must not take a listener of this one for its own.
    await until(() => relay.emulator.listeners().length === 0, 'no listener', 60_000)
  })

  /** Starts a program in a file of its own. */
  function start(text, { ending = isModule(text) ? 'mjs' : 'js', flags = [] } = {}) {
    const file = join(folder, `program.${ending}`)
    writeFileSync(file, text)
    const connectionString = `${relay.emulator.connectionString};EntityPath=hyco`
    const env = {
      HYCO_CONNECTION_STRING: connectionString,
      RELAY_CONNECTION_STRING: relay.emulator.connectionString,
    }
    const program = new Program(file, { env, flags })
    running.push(program)
    return program
  }

  /** Waits until a program ends by itself, and well. */
  async function endsWell(program) {
    assert.deepEqual(await program.exited, { code: 0, signal: null }, program.output)
  }

  const WAYS = {
    '': (text) => endsWell(start(text)),

    test: async (text) => {
      const program = start(text, { flags: ['--test'] })
      await endsWell(program)
      assert.match(program.output, /^(?:#|ℹ) pass [1-9]/m)
    },

    jest: (text) => WAYS.test(JEST + text),

    serves: async (text) => {
      const program = start(text)
      const ended = program.exited.then(() => assert.fail(program.output))
      const online = until(() => relay.emulator.listeners().length > 0, 'a listener', 60_000)
      await Promise.race([online, ended])
    },

    'only read': (text) => endsWell(start(text, { flags: ['--check'] })),
  }

  for (const { page, line, how, text, language } of programs) {
    it(`${page}, line ${line}: ${how || 'runs and ends'}`, async () => {
      assert.equal(language, 'js', 'other languages need a way to run them')
      const [, names] = /^given (.*)$/.exec(how) ?? []
      if (names !== undefined) return endsWell(start(completed(text, names), { ending: 'mjs' }))
      assert.ok(Object.hasOwn(WAYS, how), `nobody knows how to: ${how}`)
      return WAYS[how](text)
    })
  }

  it('are marked where they cannot run as they are, and most run', () => {
    assert.ok(programs.length >= 10)
    const read = programs.filter(({ how }) => how === 'only read')
    assert.ok(read.length * 2 < programs.length)
  })
})

/** Lines of a program, behind what they take for granted and before its end. */
function completed(text, names) {
  const wanted = names.split(', ')
  for (const name of wanted) assert.ok(name in GIVEN, `nobody gives '${name}'`)
  const heads = Object.entries(GIVEN).filter(([name]) => wanted.includes(name))
  const ends = Object.entries(ENDS).filter(([name]) => wanted.includes(name))
  const lines = (entries) => entries.map(([, line]) => line).join('\n')
  return `${lines(heads)}\n{\n${text}\n}\n${lines(ends)}\n`
}

function isModule(text) {
  return /^(?:import|export) /m.test(text)
}

describe('the commands of the documents', TIMEOUT, () => {
  const lines = snippets
    .filter(({ language }) => language === 'sh')
    .flatMap(({ page, text }) => text.split('\n').map((line) => ({ page, line })))

  it('exist, with the options that are given', () => {
    const calls = lines.flatMap(({ page, line }) => {
      const [, rest] = /(?:^|\| |^npx )hyco-rs ([^|>&#]*)/.exec(line) ?? []
      return rest === undefined ? [] : [{ page, line, rest }]
    })
    assert.ok(calls.length > 20, `${calls.length}`)
    for (const { page, line, rest } of calls) {
      const [name, ...args] = words(rest)
      if (name === 'emulator') continue // its options are those of hyco-relay, in Rust
      const command = COMMANDS.find((known) => known.name === name)
      assert.ok(command, `${page}: ${line}`)
      parse(command, args)
    }
  })
})

/** The words of a command line, as a shell sees them. */
function words(line) {
  const found = line.match(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g) ?? []
  return found.filter((word) => word !== '<').map((word) => word.replace(/["']/g, ''))
}
