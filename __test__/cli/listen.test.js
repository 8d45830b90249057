'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { after, afterEach, before, describe, it } = require('node:test')

const hyco = require('../..')
const { explain } = require('../../lib/cli/hints')
const Cli = require('../support/cli')
const TestRelay = require('../support/relay')

/** A command for the shell that runs a program with Node. */
function node(program) {
  return `"${process.execPath}" -e "${program}"`
}

describe('hyco-rs listen', { skip: Cli.unfit, timeout: 600_000 }, () => {
  let relay
  let running = []

  before(async () => {
    relay = await TestRelay.start({ hybridConnections: ['hyco'], maxListeners: 2 })
  })

  after(() => relay.close())

  afterEach(async () => {
    await Promise.all(running.map((cli) => cli.end()))
    running = []
  })

  /** Starts a listener and waits until it is online. */
  async function listen(args, options = {}) {
    const env = { HYCO_CONNECTION_STRING: relay.emulator.connectionString, ...options.env }
    const cli = new Cli(['listen', '--path', 'hyco', ...args], { ...options, env })
    running.push(cli)
    await cli.says(args.includes('--json') ? '"listening"' : 'listening at')
    return cli
  }

  /** Connects a sender, and waits until it is open. */
  async function connect(suffix = '', options = {}) {
    const socket = hyco.relayedConnect(relay.sendUri(`hyco${suffix}`), relay.token(), options)
    await once(socket, 'open')
    return socket
  }

  it('prints messages to standard output and the rest to standard error', async () => {
    const cli = await listen([])
    const sender = await connect('/chat?room=1')
    sender.send('hello')
    await cli.says('hello\n')
    sender.close(1000, 'bye')
    await cli.says('#1 closed: 1000 bye')
    const silent = await connect('/chat')
    silent.close(1000)
    await cli.says('#2 closed: 1000\n') // no blank where there is no reason
    const { code, stdout, stderr } = await cli.interrupt()
    assert.equal(code, 0)
    assert.equal(stdout, 'hello\n')
    assert.match(stderr, /#1 connected from [\d.:]+: \/hyco\/chat\?room=1/)
  })

  it('echoes', async () => {
    await listen(['--echo'])
    const sender = await connect()
    for (const message of ['text', Buffer.from([0, 1, 2])]) {
      sender.send(message)
      const [data, isBinary] = await once(sender, 'message')
      assert.deepEqual(data, Buffer.from(message))
      assert.equal(isBinary, typeof message !== 'string')
    }
    sender.terminate()
  })

  it('writes an object a line with --json', async () => {
    const cli = await listen(['--json'])
    const sender = await connect()
    sender.send('text')
    sender.send(Buffer.from('bytes'))
    sender.close(1000, 'bye')
    await cli.says('"close"')
    const { stdout, stderr } = await cli.interrupt()
    const events = stdout.trim().split('\n').map(JSON.parse)
    assert.deepEqual(
      events.map(({ event }) => event),
      ['listening', 'connection', 'message', 'message', 'close'],
    )
    const { id } = events[1]
    assert.match(id, /^[\da-f-]{36}/)
    assert.deepEqual(events[2], { event: 'message', id, data: 'text' })
    const base64 = Buffer.from('bytes').toString('base64')
    assert.deepEqual(events[3], { event: 'message', id, base64 })
    assert.deepEqual(events[4], { event: 'close', id, code: 1000, reason: 'bye' })
    assert.equal(stderr, '')
  })

  it('runs a command for each sender, whose lines are messages', async () => {
    const answer =
      "process.stdin.on('data', (data) => console.log(process.env.HYCO_URL, String(data).toUpperCase().trim()))"
    await listen(['--exec', node(answer)])
    const [one, two] = [await connect('/one'), await connect('/two')]
    one.send('a')
    two.send('b')
    const answers = await Promise.all([once(one, 'message'), once(two, 'message')])
    assert.deepEqual(
      answers.map(([data]) => String(data)),
      ['/hyco/one A', '/hyco/two B'],
    )
    one.terminate()
    two.terminate()
  })

  it('closes when the command ends, with 1011 if it failed', async () => {
    await listen(['--exec', 'exit 3'])
    const sender = await connect()
    const [code, reason] = await once(sender, 'close')
    assert.equal(code, 1011)
    assert.equal(String(reason), 'the command ended with 3')
  })

  it('loses no byte of what a command writes: a line that is no UTF-8 is a binary message', async () => {
    const write = (...bytes) => `process.stdout.write(Buffer.from([${bytes}]))`
    // Half of a letter comes late.
    const rest = `setTimeout(() => ${write(0xa4, 10)}, 200)`
    await listen(['--exec', node(`${write(0x61, 10, 0xff, 0xfe, 13, 10, 0xc3)}; ${rest}`)])
    const sender = await connect()
    const messages = []
    sender.on('message', (data, isBinary) => {
      messages.push(isBinary ? data.toString('hex') : String(data))
    })
    const [code] = await once(sender, 'close')
    assert.equal(code, 1000)
    assert.deepEqual(messages, ['a', 'fffe', 'ä'])
  })

  it('ends a command whose line has no end, and keeps no more than 100 MiB of it', async () => {
    const cli = await listen(['--exec', 'exec cat /dev/zero'])
    const sender = await connect()
    const [code, reason] = await once(sender, 'close')
    assert.equal(code, 1011)
    assert.equal(String(reason), 'the command wrote a line that is too long')
    const { code: exit } = await cli.interrupt()
    assert.equal(exit, 0)
  })

  it('closes at once when a command ends that has read nothing', async () => {
    const cli = await listen(['--exec', node('setTimeout(() => {}, 500)')])
    const sender = await connect()
    sender.send(Buffer.alloc(8 * 1024 * 1024))
    await once(sender, 'close')
    const started = Date.now()
    await cli.says('#1 closed: 1000')
    // Else it waits 30 s for a close frame that it does not read.
    assert.ok(Date.now() - started < 20_000)
  })

  it('keeps the connection string from the command', async () => {
    await listen(['--exec', node('console.log(process.env.HYCO_CONNECTION_STRING)')])
    const sender = await connect()
    const [data] = await once(sender, 'message')
    assert.equal(String(data), 'undefined')
    sender.terminate()
  })

  it('ends the commands when it ends', async () => {
    const cli = await listen(['--exec', node('console.log(process.pid); process.stdin.resume()')])
    const sender = await connect()
    const [pid] = await once(sender, 'message')
    const { code } = await cli.interrupt()
    assert.equal(code, 0)
    assert.throws(() => process.kill(Number(pid), 0), { code: 'ESRCH' })
  })

  it('does not wait long for a sender that does not answer its close', async () => {
    const cli = await listen([])
    const sender = await connect()
    await cli.says('#1 connected')
    sender.pause()
    const started = Date.now()
    assert.equal((await cli.interrupt()).code, 0)
    // A socket alone waits 30 s.
    assert.ok(Date.now() - started < 20_000)
    sender.terminate()
  })

  it('ends on SIGTERM too, and closes its senders with 1000', async () => {
    const cli = await listen([])
    const sender = await connect()
    // The sender may be open before the listener knows it.
    await cli.says('#1 connected')
    const closed = once(sender, 'close')
    const { code } = await cli.interrupt('SIGTERM')
    assert.equal(code, 0)
    assert.equal((await closed)[0], 1000)
  })

  it('ends quietly when the reader of its output leaves', async () => {
    const cli = await listen([])
    const sender = await connect()
    cli.child.stdout.destroy()
    // The first write may still be taken by the pipe.
    const timer = setInterval(() => sender.readyState === 1 && sender.send('more'), 20)
    const { code, stderr } = await cli.exited
    clearInterval(timer)
    assert.equal(code, 0)
    assert.doesNotMatch(stderr, /EPIPE|Error/)
    sender.terminate()
  })

  it('exits with 4 and says what to do when the relay refuses the token', async () => {
    const { code, stderr } = await Cli.run([
      'listen',
      '-p',
      'hyco',
      '-n',
      relay.namespace,
      '--key-name',
      'nobody',
      '--key',
      'a-secret',
    ])
    assert.equal(code, 4)
    assert.match(stderr, /error: .*401/)
    assert.match(stderr, /The key is not that of the rule/)
    assert.doesNotMatch(stderr, /a-secret/)
  })

  it('exits with 5 for a hybrid connection that does not exist', async () => {
    const env = { HYCO_CONNECTION_STRING: relay.emulator.connectionString }
    const { code, stderr } = await Cli.run(['listen', '--path', 'missing'], { env })
    assert.equal(code, 5)
    assert.match(stderr, /does not exist/)
    assert.match(stderr, /Start the local relay with it: 'hyco-rs emulator --hybrid-connection/)
    const error = Object.assign(new Error('none'), { code: 'HYCO_ERR_ENDPOINT_NOT_FOUND' })
    const url = new URL('wss://contoso.servicebus.windows.net/hyco')
    assert.match(explain(error, { url }).hint, /az relay hyco create/)
  })

  it('tries again while nothing listens at the address, and can be ended then', async () => {
    const rule = ['--key-name', 'a', '--key', 'b']
    const cli = new Cli(['listen', '-n', 'ws://127.0.0.1:1', '-p', 'hyco', ...rule])
    running.push(cli)
    await cli.says(/offline: .*; trying again in \d/)
    const { code } = await cli.interrupt()
    assert.equal(code, 0)
  })

  it('refuses two ways to serve', async () => {
    const { code, stderr } = await Cli.run(['listen', '--echo', '--exec', 'cat'])
    assert.equal(code, 2)
    assert.match(stderr, /either --echo or --exec/)
  })
})
