'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { mkdtempSync, readFileSync, rmSync, writeFileSync } = require('node:fs')
const net = require('node:net')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const { afterEach, describe, it } = require('node:test')

const hyco = require('../..')
const Cli = require('../support/cli')

describe('hyco-rs emulator', { skip: Cli.unfit, timeout: 600_000 }, () => {
  let running = []

  afterEach(async () => {
    await Promise.all(running.map((cli) => cli.end()))
    running = []
  })

  /** Starts the program and waits for its words. */
  async function start(args, words, options) {
    const cli = new Cli(args, options)
    running.push(cli)
    return { cli, found: await cli.says(words) }
  }

  it('prints a line for a .env with which the other commands find it', async () => {
    const { cli, found } = await start(
      ['emulator', '--port', '0'],
      /^HYCO_CONNECTION_STRING='(.*EntityPath=hyco.*)'$/m,
    )
    const env = { HYCO_CONNECTION_STRING: found[1] }
    await start(['listen', '--echo'], 'listening at', { env })
    const sent = await Cli.run(['send', '--replies', '1', 'hello'], { env })
    assert.equal(sent.stdout, 'hello\n')
    assert.equal((await Cli.run(['doctor'], { env })).code, 0)
    const { code } = await cli.interrupt('SIGTERM')
    assert.equal(code, 0)
  })

  it('prints lines of JavaScript that run', async () => {
    const { cli } = await start(['emulator', '--port', '0'], /^# {3}relayedConnect.*\n/m)
    const [, connectionString] = /^HYCO_CONNECTION_STRING='(.*)'$/m.exec(cli.stdout)
    const [listener, sender] = cli.stdout.match(/^# {3}\w.*$/gm).map((line) => line.slice(4))
    const process = { env: { HYCO_CONNECTION_STRING: connectionString } }
    const run = (line, log) =>
      new Function('hyco', 'process', 'console', `with (hyco) return ${line}`)(hyco, process, {
        log,
      })
    const server = run(listener)
    await once(server, 'listening')
    const heard = new Promise((resolve) => run(sender, resolve))
    assert.equal(await heard, 'hi')
    await new Promise((resolve) => server.close(resolve))
  })

  it('has the same key at every start, and another one when told', async () => {
    const key = async (...args) => {
      const { cli, found } = await start(
        ['emulator', '--port', '0', '--json', ...args],
        /SharedAccessKey=([^;"]+)/,
      )
      await cli.end()
      return found[1]
    }
    assert.equal(await key(), await key())
    assert.equal(await key('--key', 'mine'), 'mine')
  })

  it('lets senders without a token into what is anonymous', async () => {
    const args = ['emulator', '--port', '0', '--json', '--hybrid-connection']
    const { found } = await start([...args, 'chat:anonymous'], /^\{.*"listening".*\}$/m)
    const { namespace, connectionStrings } = JSON.parse(found[0])
    const server = hyco.createRelayedServer({ connectionString: connectionStrings[0] })
    await once(server, 'listening')
    const sender = hyco.relayedConnect(hyco.createRelaySendUri(namespace, 'chat'))
    await once(sender, 'open')
    await new Promise((resolve) => server.close(resolve))
  })

  it('prints each variable once, so that a .env has none that another one hides', async () => {
    const args = ['--hybrid-connection', 'hyco', '--hybrid-connection', 'chat:anonymous']
    const { cli } = await start(['emulator', '--port', '0', ...args], /^# {3}relayedConnect.*\n/m)
    const names = [...cli.stdout.matchAll(/^(\w+)=/gm)].map(([, name]) => name)
    assert.equal(new Set(names).size, names.length, cli.stdout)
    assert.match(cli.stdout, /^HYCO_CONNECTION_STRING='.*EntityPath=hyco;/m)
    assert.match(cli.stdout, /^# HYCO_CONNECTION_STRING='.*EntityPath=chat;/m)
    assert.equal(cli.stderr.includes('warning: nobody'), false, cli.stderr)
  })

  it('prints a connection string for the listener, and one for the sender where it needs its own', async () => {
    const guide = readFileSync(join(__dirname, '..', '..', 'docs', 'emulator.md'), 'utf8')
    const [, config] = /### The configuration file\n\n```json\n([^]*?)```/.exec(guide)
    const folder = mkdtempSync(join(tmpdir(), 'hyco-rs-config-'))
    try {
      const file = join(folder, 'relay.json')
      writeFileSync(file, config)
      const args = ['emulator', '--port', '0', '--no-tls', '--config', file]
      const { cli } = await start(args, /^# {3}relayedConnect.*\n/m)
      const [, listen] = /^HYCO_CONNECTION_STRING='(.*)'$/m.exec(cli.stdout)
      const [, send] = /^# HYCO_CONNECTION_STRING='(.*)'$/m.exec(cli.stdout)
      const server = new hyco.RelayedServer({ connectionString: listen })
      await once(server, 'listening')
      const sender = hyco.relayedConnect(null, { connectionString: send })
      await once(sender, 'open')
      sender.terminate()
      await server.close()
      assert.equal(cli.stderr.includes('warning'), false, cli.stderr)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('warns where no rule lets anybody in, and of a key that belongs to no rule', async () => {
    const args = ['--rule', 'send=secret:Send', '--key', 'other', '--hybrid-connection', 'hyco']
    const { cli } = await start(['emulator', '--port', '0', ...args], /^# {3}relayedConnect.*\n/m)
    await cli.interrupt('SIGTERM')
    assert.match(
      cli.stderr,
      /warning: nobody can listen at 'hyco', since no rule has the right Listen/,
    )
    assert.match(cli.stderr, /warning: the key that was given has no effect/)
    assert.doesNotMatch(cli.stderr, /nobody can connect|secret|other machines/)
  })

  it('says what to do when its port is taken', async () => {
    const server = net.createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    try {
      const { code, stderr } = await Cli.run(['emulator', '--port', String(server.address().port)])
      assert.equal(code, 1)
      assert.match(stderr, /cannot listen on 127\.0\.0\.1:\d+[^]*--port PORT/)
    } finally {
      server.close()
    }
  })

  it('says what to do when its certificate cannot be kept', async () => {
    // A file is no folder, whoever asks.
    const args = ['emulator', '--port', '0', '--cert-dir', __filename]
    const { code, stderr } = await Cli.run(args)
    assert.equal(code, 1)
    assert.match(stderr, /cannot use the certificate: [^]*--cert-dir FOLDER[^]*--no-tls/)
  })

  it('refuses a port and a hybrid connection that are none', async () => {
    for (const [args, what] of [
      [['--port', '70000'], /70000.*--port/],
      [['--hybrid-connection', ':anonymous'], /--hybrid-connection cannot be ':anonymous'/],
    ]) {
      const { code, stderr } = await Cli.run(['emulator', ...args])
      assert.equal(code, 2)
      assert.match(stderr, what)
    }
  })
})
