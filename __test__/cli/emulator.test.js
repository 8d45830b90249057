'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const net = require('node:net')
const { afterEach, describe, it } = require('node:test')

const hyco = require('../..')
const Cli = require('../support/cli')

describe('hyco-rs emulator', { skip: Cli.unfit, timeout: 120_000 }, () => {
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
