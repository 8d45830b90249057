'use strict'

const assert = require('node:assert/strict')
const { execFile } = require('node:child_process')
const { once } = require('node:events')
const { after, afterEach, before, describe, it } = require('node:test')

const hyco = require('../..')
const Cli = require('../support/cli')
const TestRelay = require('../support/relay')

/** Runs a program to its end. */
function run(file, args) {
  return new Promise((resolve) => {
    const env = { ...process.env, FORCE_COLOR: undefined, NO_COLOR: '1', TERM: 'xterm' }
    const options = { env, timeout: 300_000 }
    execFile(file, args, options, (error, stdout) =>
      resolve({ error, status: error === null ? 0 : error.code, stdout }),
    )
  })
}

describe('hyco-rs connect and send', { skip: Cli.unfit, timeout: 600_000 }, () => {
  let relay
  let server
  let env
  let running = []

  before(async () => {
    relay = await TestRelay.start({ hybridConnections: ['hyco', 'silent'] })
    env = { HYCO_CONNECTION_STRING: `${relay.emulator.connectionString};EntityPath=hyco` }
    server = hyco.createRelayedServer(
      {
        connectionString: relay.emulator.connectionString,
        path: 'hyco',
        verifyClient: ({ req }, decide) =>
          decide(!req.url.includes('forbidden'), 418, 'Not through here'),
      },
      (socket, request) => {
        socket.on('message', (data, isBinary) => {
          if (String(data) === 'end') socket.close(4001, 'as you wish')
          else if (isBinary) socket.send(data)
          else socket.send(`${request.url} ${request.headers['x-name'] ?? ''} ${data}`)
        })
      },
    )
    await once(server, 'listening')
  })

  after(async () => {
    await new Promise((resolve) => server.close(resolve))
    await relay.close()
  })

  afterEach(async () => {
    await Promise.all(running.map((cli) => cli.end()))
    running = []
  })

  it('send sends each argument and prints the replies that it is to wait for', async () => {
    const args = ['send', '--replies', '2', '-s', '/a?b=1', '-H', 'X-Name: ada', 'one', 'two']
    const { code, stdout, stderr } = await Cli.run(args, { env })
    assert.equal(stdout, '/hyco/a?b=1 ada one\n/hyco/a?b=1 ada two\n')
    assert.match(stderr, /connected to 'hyco'/)
    assert.equal(code, 0)
  })

  it('send sends standard input as one message, byte by byte with --binary', async () => {
    const bytes = Buffer.from([0xff, 0x00, 0x0a])
    const args = ['send', '--binary', '--replies', '1', '--json']
    const { code, stdout } = await Cli.run(args, { env, input: bytes })
    const events = stdout.trim().split('\n').map(JSON.parse)
    assert.deepEqual(events[1], { event: 'message', base64: bytes.toString('base64') })
    assert.deepEqual(events[2], { event: 'sent', messages: 1 })
    assert.equal(code, 0)
  })

  it('send fails when replies are missing', async () => {
    const args = ['send', '--replies', '2', '--timeout', '5', 'one']
    const { code, stderr } = await Cli.run(args, { env })
    assert.equal(code, 3)
    assert.match(stderr, /did not answer within 5 s/)
    assert.match(stderr, /1 of 2 replies are missing/)
  })

  it('send fails with the words of a listener that closes with a code of its own', async () => {
    const { code, stderr } = await Cli.run(['send', '--replies', '1', 'end'], { env })
    assert.equal(code, 1)
    assert.match(stderr, /code 4001: as you wish/)
  })

  it('exits with 6 and the words of a listener that refuses it', async () => {
    const { code, stderr } = await Cli.run(['send', '-s', '/forbidden', 'one'], { env })
    assert.equal(code, 6)
    assert.match(stderr, /418.*Not through here/)
  })

  it('exits with 5 when nobody listens, and says how to', async () => {
    const connectionString = relay.emulator.connectionString
    const args = ['send', '-c', connectionString, '-p', 'silent', 'one']
    const { code, stderr } = await Cli.run(args)
    assert.equal(code, 5)
    assert.match(stderr, /hyco-rs listen --echo/)
    assert.ok(!stderr.includes(relay.emulator.key))
  })

  it('exits with 4 and names its options when the relay wants a token, or another one', async () => {
    const where = ['send', '-n', relay.namespace, '-p', 'hyco']
    const [none, nonsense] = await Promise.all([
      Cli.run([...where, 'one']),
      Cli.run([...where, '--token', 'nonsense', 'one']),
    ])
    assert.match(none.stderr, /Give --key-name and --key, or --token, or a connection string/)
    assert.match(nonsense.stderr, /What --token gives is no token; 'hyco-rs token' prints one/)
    assert.deepEqual([none.code, nonsense.code], [4, 4])
  })

  it('tells errors as JSON with --json', async () => {
    const { code, stdout, stderr } = await Cli.run(['send', '--json', '-s', 'forbidden', 'x'], {
      env,
    })
    assert.equal(code, 6)
    assert.equal(stdout, '')
    const { error } = JSON.parse(stderr)
    assert.equal(error.code, 'HYCO_ERR_REJECTED')
    assert.equal(error.statusCode, 418)
    assert.equal(error.exitCode, 6)
  })

  it('connect ends lines at LF and CR LF alone, since JSON may hold other separators', async () => {
    const input = '"a\u2028b\u2029c\rd"\r\n\ntwo'
    const { code, stdout } = await Cli.run(['connect', '-q'], { env, input })
    assert.equal(code, 0)
    assert.equal(stdout, '/hyco  "a\u2028b\u2029c\rd"\n/hyco  \n/hyco  two\n')
  })

  it('connect sends what comes before a line that has no end, and says so', async () => {
    const input = Buffer.concat([Buffer.from('one\n'), Buffer.alloc(101 * 1024 * 1024, 'x')])
    const { code, stdout, stderr } = await Cli.run(['connect', '-q'], { env, input })
    assert.equal(code, 2)
    assert.equal(stdout, '/hyco  one\n')
    assert.match(stderr, /A line of standard input is longer than 100 MiB/)
  })

  it('connect sends each line of its input, and ends when all answers are there', async () => {
    const { code, stdout } = await Cli.run(['connect', '-q'], { env, input: 'one\ntwo\n' })
    assert.equal(stdout, '/hyco  one\n/hyco  two\n')
    assert.equal(code, 0)
  })

  it('connect sends the bytes of each line with --binary', async () => {
    const input = Buffer.from([0xff, 0xfe, 0x80, 0x0a, 0x0a, 0x00, 0x0d, 0x61, 0x0d, 0x0a, 0xe2])
    const { code, stdout } = await Cli.run(['connect', '-b', '--json'], { env, input })
    const sent = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
      .filter(({ event }) => event === 'message')
      .map(({ base64 }) => Buffer.from(base64, 'base64').toString('hex'))
    assert.deepEqual(sent, ['fffe80', '', '000d61', 'e2'])
    assert.equal(code, 0)
  })

  const unwritable = process.platform !== 'linux' && 'only Linux has /dev/full'
  it('an output that takes no more is an error of one line', { skip: unwritable }, async () => {
    for (const args of [['connect', '-q'], ['--version'], ['send', '--help']]) {
      const { child, exited } = new Cli(args, { env, input: 'one\n', output: '/dev/full' })
      const { code, stderr } = await exited
      assert.match(stderr, /^error: Standard output takes no more: .*ENOSPC.*\n$/, `${args}`)
      assert.equal(code, 1)
      assert.equal(child.signalCode, null)
    }
  })

  it('connect answers as it goes, and Ctrl+C closes with 1000', async () => {
    const accepted = once(server, 'connection')
    const cli = new Cli(['connect'], { env })
    running.push(cli)
    cli.child.stdin.write('hello\n')
    await cli.says('/hyco  hello\n')
    const [socket] = await accepted
    const closed = once(socket, 'close')
    const { code } = await cli.interrupt()
    assert.equal((await closed)[0], 1000)
    assert.equal(code, 0)
  })

  it('connect takes commands with --slash', async () => {
    const accepted = once(server, 'connection')
    const cli = new Cli(['connect', '--slash'], { env })
    running.push(cli)
    cli.child.stdin.write('/ping are you there\n')
    await cli.says('pong are you there')
    const [socket] = await accepted
    const closed = once(socket, 'close')
    cli.child.stdin.write('/close 99\n')
    await cli.says('/close cannot be done: ')
    cli.child.stdin.write(`/ping ${'x'.repeat(126)}\n`)
    await cli.says('/ping cannot be done: ')
    cli.child.stdin.write('/close 4002 enough\n')
    const [code, reason] = await closed
    assert.equal(code, 4002)
    assert.equal(String(reason), 'enough')
    assert.equal((await cli.exited).code, 0)
  })

  it('connect has a prompt on a terminal, and shows control characters as text', async () => {
    const program = `
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
seen = b''
steps = [(b'> ', b'a\\n'), (b'danger', b'\\x03')]
while True:
    try:
        data = os.read(terminal, 4096)
    except OSError:
        break
    if not data:
        break
    seen += data
    if steps and steps[0][0] in seen:
        os.write(terminal, steps.pop(0)[1])
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`
    const danger = hyco.createRelayedServer(
      { connectionString: relay.emulator.connectionString, path: 'silent' },
      (socket) => socket.on('message', () => socket.send('\u001b]0;danger\u0007')),
    )
    await once(danger, 'listening')
    try {
      const bin = require.resolve('../../bin/hyco-rs.js')
      const args = ['connect', '-n', relay.namespace, '-p', 'silent', '--token', relay.token()]
      const { error, status, stdout } = await run(
        'python3',
        ['-c', program, process.execPath, bin].concat(args),
      )
      if (error?.code === 'ENOENT') return
      assert.match(stdout, /< \\x1b\]0;danger\\x07/)
      assert.equal(status, 0)
    } finally {
      await new Promise((resolve) => danger.close(resolve))
    }
  })

  it('prints what a listener says first, however early', async () => {
    const eager = hyco.createRelayedServer(
      { connectionString: relay.emulator.connectionString, path: 'silent' },
      (socket) => socket.send('welcome'),
    )
    await once(eager, 'listening')
    try {
      const where = ['-c', relay.emulator.connectionString, '-p', 'silent']
      for (const args of [
        ['connect', '-q'],
        ['send', '-q', '--replies', '1', 'hello'],
      ]) {
        const { code, stdout } = await Cli.run([...args, ...where])
        assert.equal(stdout, 'welcome\n')
        assert.equal(code, 0)
      }
    } finally {
      await new Promise((resolve) => eager.close(resolve))
    }
  })

  it('refuses a header that is none', async () => {
    const { code, stderr } = await Cli.run(['send', '-H', 'nonsense', 'x'], { env })
    assert.equal(code, 2)
    assert.match(stderr, /'nonsense' is no header/)
  })
})
