'use strict'

// The programs of docs/emulator-clients.md, as they stand there but for the port.

const assert = require('node:assert/strict')
const { execFile } = require('node:child_process')
const fs = require('node:fs')
const { tmpdir } = require('node:os')
const { delimiter, dirname, join } = require('node:path')
const { after, afterEach, before, describe, it } = require('node:test')
const { pathToFileURL } = require('node:url')
const { promisify } = require('node:util')

const hyco = require('..')
const Program = require('./support/children')
const { findChromium, launchChromium } = require('./support/chromium')
const hycoHttps = require('./support/hyco-https')
const hycoWs = require('./support/hyco-ws')
const pythonWithWebsockets = require('./support/python')
const { snippetsOf } = require('./support/snippets')
const { until } = require('./support/watch')

const TIMEOUT = { timeout: 300_000 }
const PAGE = 'docs/emulator-clients.md'
const KEY = 'aHljby1ycy1sb2NhbC1yZWxheS1pcy1ub3Qtc2VjcmV0'

const execute = promisify(execFile)
const root = join(__dirname, '..')
const lines = fs.readFileSync(join(root, PAGE), 'utf8').split('\n')

/** Runs a program of another kind to its end. These heed the proxies of the environment, also on loopback. */
function run(file, args, { env, ...options } = {}) {
  const own = Object.entries({ ...process.env, ...env })
  const open = own.filter(([name]) => !/_proxy$/i.test(name))
  return execute(file, args, { ...options, env: Object.fromEntries(open) })
}

/** The blocks of a section in a language. */
function blocks(heading, language) {
  const start = lines.indexOf(`## ${heading}`) + 1
  assert.ok(start > 0, heading)
  const length = lines.slice(start).findIndex((line) => line.startsWith('## '))
  const end = length === -1 ? lines.length : start + length
  return snippetsOf(PAGE)
    .filter((block) => block.language === language && block.line > start && block.line <= end)
    .map(({ text }) => text)
}

describe('the clients in the documentation of the local relay (E71)', TIMEOUT, () => {
  let folder
  let relay
  let server
  const programs = []

  before(async () => {
    relay = await hyco.startRelayEmulator({
      rules: [{ keyName: 'RootManageSharedAccessKey', key: KEY }],
    })
    folder = fs.mkdtempSync(join(tmpdir(), 'hyco-rs-clients-'))
    const modules = join(folder, 'node_modules')
    fs.mkdirSync(join(modules, '.bin'), { recursive: true })
    const link = (name, target) => fs.symlinkSync(target, join(modules, name), 'junction')
    link('hyco-rs', root)
    link('ws', dirname(require.resolve('ws/package.json')))
    fs.symlinkSync(join(root, 'bin', 'hyco-rs.js'), join(modules, '.bin', 'hyco-rs'))
  })

  afterEach(async () => {
    await Promise.all(programs.splice(0).map((program) => program.end()))
    await server?.close()
    server = undefined
  })

  after(async () => {
    await relay.close()
    fs.rmSync(folder, { recursive: true })
  })

  /** A program of the page, for the relay of this test. */
  function here(text) {
    assert.ok(text.includes('127.0.0.1:9400'), 'it names the port')
    return text.replaceAll('127.0.0.1:9400', `127.0.0.1:${relay.address.port}`)
  }

  /** Runs a program of Node to its end; gives what it printed. */
  async function node(text) {
    const file = join(folder, 'program.js')
    fs.writeFileSync(file, here(text))
    const program = new Program(file)
    programs.push(program)
    assert.deepEqual(await program.exited, { code: 0, signal: null }, program.output)
    return program.output.trim()
  }

  /** An echo at the hybrid connection, which also answers HTTP. */
  async function listen() {
    server = hyco.createRelayedServer(
      {
        connectionString: relay.connectionString,
        path: 'hyco',
        fetch: async (request) =>
          new Response(
            `${request.method} ${new URL(request.url).pathname} ${await request.text()}`,
          ),
      },
      (socket) => socket.on('message', (data) => socket.send(`echo of ${data}`)),
    )
    await new Promise((resolve) => server.once('listening', resolve))
  }

  it('hyco-rs', async () => {
    assert.equal(await node(blocks('hyco-rs', 'js')[0]), 'echo of hello')
  })

  it('ws', async () => {
    await listen()
    assert.equal(await node(blocks('ws', 'js')[0]), 'echo of hello')
  })

  it('hyco-ws', async () => {
    hycoWs()
    link('hyco-ws', 'hyco-rs-test-hyco-ws-1.0.5')
    assert.match(await node(blocks('hyco-ws', 'js')[0]), /^echo of hello$/m)
  })

  it('hyco-https', async () => {
    hycoHttps().createRelayHttpsUri('ns', 'hyco')
    link('hyco-https', 'hyco-rs-test-hyco-https-1.4.5')
    assert.match(await node(blocks('hyco-https', 'js')[0]), /^hello$/m)
  })

  /** Links a package that a helper has installed. */
  function link(name, home) {
    const target = join(tmpdir(), home, 'node_modules', name)
    fs.symlinkSync(target, join(folder, 'node_modules', name), 'junction')
  }

  it('Python', async (context) => {
    const python = pythonWithWebsockets()
    if (python === null) {
      context.skip('NOT TESTED: there is no Python 3 with venv on this machine')
      return
    }
    const [sender, listener] = blocks('Python', 'python').map(here)
    await listen()
    assert.equal((await run(python, ['-c', sender])).stdout, 'echo of hello\n')
    await server.close()
    await until(() => relay.listeners().length === 0, 'nobody listens any more')

    const ending = new AbortController()
    const listening = run(python, ['-c', listener], { signal: ending.signal }).catch(() => {})
    try {
      await until(() => relay.listeners().length === 1, 'the listener', 60_000)
      assert.equal((await run(python, ['-c', sender])).stdout, 'echo of hello\n')
    } finally {
      ending.abort()
      await listening
    }
  })

  it('a browser', async (context) => {
    if (findChromium() === undefined) {
      context.skip('NOT TESTED: there is no Chromium on this machine')
      return
    }
    await listen()
    const file = join(folder, 'page.html')
    fs.writeFileSync(file, here(blocks('Browsers', 'html')[0]))
    const token = hyco.createRelayToken('http://127.0.0.1/hyco', relay.keyName, relay.key)
    const browser = await launchChromium()
    try {
      const page = await browser.newPage()
      page.setDefaultTimeout(60_000)
      await page.goto(`${pathToFileURL(file)}?token=${encodeURIComponent(token)}`)
      await page.waitForFunction(() => document.title === 'echo of hello')
    } finally {
      await browser.close()
    }
  })

  it('curl', async (context) => {
    if (process.platform === 'win32') {
      context.skip('NOT TESTED: the lines are for a shell')
      return
    }
    await listen()
    const PATH = [dirname(process.execPath), process.env.PATH].join(delimiter)
    const options = { cwd: folder, env: { PATH } }
    const found = await run('sh', ['-c', 'command -v curl'], options).catch(() => null)
    if (found === null) {
      context.skip('NOT TESTED: there is no curl on this machine')
      return
    }
    const [health, request] = blocks('curl', 'sh').map(here)
    assert.equal((await run('sh', ['-c', health], options)).stdout, '{"status":"ok"}')
    const { stdout } = await run('sh', ['-c', request], options)
    assert.equal(stdout, 'POST /hyco/orders an order')
  })
})
