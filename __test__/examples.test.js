'use strict'

const assert = require('node:assert/strict')
const { execFileSync } = require('node:child_process')
const { once } = require('node:events')
const {
  mkdtempSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
} = require('node:fs')
const net = require('node:net')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const { text } = require('node:stream/consumers')
const { after, afterEach, before, describe, it } = require('node:test')

const hyco = require('..')
const Program = require('./support/children')
const TestRelay = require('./support/relay')

const EXAMPLES = join(__dirname, '..', 'examples')

describe('the examples', { timeout: 600_000 }, () => {
  let relay
  let connectionString
  let running = []

  before(async () => {
    relay = await TestRelay.start({ hybridConnections: ['hyco'] })
    connectionString = `${relay.emulator.connectionString};EntityPath=hyco`
  })

  after(() => relay.close())

  afterEach(async () => {
    await Promise.all(running.map((program) => program.end()))
    running = []
  })

  /** Runs an example as a user does. */
  function start(file, { args = [], env = {} } = {}) {
    const program = new Program(join(EXAMPLES, file), {
      args,
      env: { HYCO_CONNECTION_STRING: connectionString, ...env },
    })
    running.push(program)
    return program
  }

  /** Connects a sender to an example. */
  async function connect(path = 'hyco') {
    const socket = hyco.relayedConnect(relay.sendUri(path), relay.token())
    await once(socket, 'open')
    return socket
  }

  /** Sends a message and waits for the answer. */
  async function ask(socket, message) {
    socket.send(message)
    const [data] = await once(socket, 'message')
    return String(data)
  }

  /** Waits until a program ends by itself, and well. */
  async function endsWell(program) {
    assert.deepEqual(await program.exited, { code: 0, signal: null }, program.output)
  }

  it('have at most forty lines each', () => {
    for (const file of readdirSync(EXAMPLES)) {
      if (!/\.(?:m?js|ts|html)$/.test(file)) continue
      const lines = readFileSync(join(EXAMPLES, file), 'utf8').match(/^.*\S.*$/gm)
      assert.ok(lines.length <= 40, `${file} has ${lines.length}`)
    }
  })

  it('are all in the table of their page', () => {
    const page = readFileSync(join(EXAMPLES, 'README.md'), 'utf8')
    for (const file of readdirSync(EXAMPLES)) {
      if (file !== 'README.md') assert.ok(page.includes(`](${file})`), file)
    }
  })

  it('main.js gets all of its messages back', async () => {
    const program = start('main.js')
    await endsWell(program)
    assert.equal(program.output.match(/got back/g).length, 3)
  })

  it('chat.js passes on what each says, and refuses a stranger', async () => {
    const program = start('chat.js')
    await endsWell(program)
    assert.match(program.output, /a stranger is refused: 403 Who are you\?/)
    assert.equal(program.output.match(/heard: ada: good morning/g).length, 2)
  })

  it('echo-listener.js and echo-sender.js talk to each other', async () => {
    const listener = start('echo-listener.js', { env: { PORT: '0' } })
    await listener.says('listening at')
    const [, PORT] = /listening at ws:\/\/[^/]+:(\d+)\//.exec(listener.output)
    const sender = start('echo-sender.js', { args: ['good morning'], env: { PORT } })
    await endsWell(sender)
    assert.equal(sender.output, 'echo: good morning\n')
  })

  it('azure.js sends itself a message through any relay', async () => {
    const program = start('azure.js')
    await endsWell(program)
    assert.equal(program.output, 'you said: hello, cloud\n')
  })

  it('azure.js says what it needs', async () => {
    const program = start('azure.js', { env: { HYCO_CONNECTION_STRING: '' } })
    await endsWell(program)
    assert.match(program.output, /Set HYCO_CONNECTION_STRING/)
  })

  it('local-and-relayed.js serves both ways with one function', async () => {
    const program = start('local-and-relayed.js', { args: ['0'] })
    await Promise.all([
      program.says(/listening at ws:\/\/127\.0\.0\.1:\d+\n/),
      program.says(/listening at ws:\/\/127\.0\.0\.1:\d+\/\$hc\/hyco/),
    ])
    const [address] = /ws:\/\/127\.0\.0\.1:\d+(?=\n)/.exec(program.output)
    const local = new hyco.WebSocket(address)
    await once(local, 'open')
    const relayed = await connect()
    assert.equal(await ask(local, 'near'), 'near')
    assert.equal(await ask(relayed, 'far'), 'far')
    local.terminate()
    relayed.terminate()
  })

  it('express.js tells relayed sockets what an HTTP request says', async () => {
    const program = start('express.js', { args: ['0'] })
    await Promise.all([program.says('relayed:'), program.says('local:')])
    const [, address] = /local: (\S+)/.exec(program.output)
    const socket = hyco.relayedConnect(relay.sendUri('hyco'), relay.token())
    const [welcome] = await once(socket, 'message')
    assert.equal(String(welcome), 'welcome to /hyco')
    const next = once(socket, 'message')
    const headers = { 'Content-Type': 'text/plain' }
    const response = await fetch(`${address}/say`, { method: 'POST', headers, body: 'hello' })
    assert.deepEqual(await response.json(), { heard: 1 })
    assert.equal(String((await next)[0]), 'hello')
    const { status, active } = await (await fetch(`${address}/listeners`)).json()
    assert.deepEqual([status, active], ['online', 1])
    socket.terminate()
  })

  it('cluster.js answers from every worker', async () => {
    const program = start('cluster.js', { args: ['2'] })
    await Promise.all([program.says('worker 1 listens'), program.says('worker 2 listens')])
    const seen = new Set()
    while (seen.size < 2) {
      const socket = await connect()
      seen.add(await ask(socket, 'who?'))
      socket.terminate()
    }
    assert.deepEqual([...seen].sort(), ['worker 1: who?', 'worker 2: who?'])
    if (process.platform === 'win32') return
    program.child.kill('SIGINT')
    await endsWell(program)
  })

  it('credential.js listens with the tokens of a credential', async () => {
    const program = start('credential.js')
    await program.says('listening at')
    assert.match(program.output, /a token for https:\/\/relay\.azure\.net\/\.default/)
    const socket = await connect()
    assert.equal(await ask(socket, 'hello'), 'you said: hello')
    socket.terminate()
  })

  it('drain.js lets those finish who are connected', { skip: noSignals() }, async () => {
    const program = start('drain.js')
    await program.says('ready')
    const socket = await connect()
    // The sender may be open before the example knows it.
    assert.equal(await ask(socket, 'first'), 'done: first')
    const done = once(socket, 'message')
    socket.send('work')
    program.child.kill('SIGTERM')
    await program.says('draining: 1 connected')
    const [data] = await done
    assert.equal(String(data), 'done: work')
    socket.close(1000)
    await endsWell(program)
    assert.match(program.output, /all have finished/)
  })

  it('metrics.js shows its counts to Prometheus', async () => {
    const program = start('metrics.js', { env: { PORT: '0' } })
    await program.says('metrics at')
    const socket = await connect()
    // The sender may be open before the example has counted it.
    assert.equal(await ask(socket, 'hello'), 'hello')
    const [address] = /http:\S+/.exec(program.output)
    const text = await (await fetch(address)).text()
    assert.match(text, /# TYPE hyco_accepted_total counter\nhyco_accepted_total\{path="hyco"\} 1\n/)
    assert.match(text, /# TYPE hyco_active gauge\nhyco_active\{path="hyco"\} 1\n/)
    assert.match(text, /hyco_online\{path="hyco"\} 1/)
    socket.terminate()
  })

  it('opentelemetry.js makes spans of a connection', async () => {
    const program = start('opentelemetry.js')
    await program.says('listening')
    const socket = await connect()
    await program.says(/span accept .*"hyco.outcome":"accepted"/)
    socket.close(1000)
    await program.says(/span connection .*"websocket.close_code":1000/)
  })

  it('port-forwarding.js carries a TCP connection', async () => {
    const server = net.createServer((tcp) => tcp.end('220 ready')).listen(0, '127.0.0.1')
    await once(server, 'listening')
    try {
      const listener = start('port-forwarding.js', { args: ['listen', `${server.address().port}`] })
      await listener.says('leads to port')
      const forward = start('port-forwarding.js', { args: ['forward', '0'] })
      await forward.says('leads to the relay')
      const [, port] = /port (\d+)/.exec(forward.output)
      assert.equal(await text(net.connect(Number(port), '127.0.0.1')), '220 ready')
    } finally {
      server.close()
    }
  })

  it('esm.mjs serves one sender and ends', async () => {
    const program = start('esm.mjs')
    await program.says('listening at')
    const socket = await connect('hyco/first')
    assert.equal(await ask(socket, 'hello'), 'you said: hello')
    socket.close(1000)
    await endsWell(program)
    assert.match(program.output, /connected: \/hyco\/first/)
  })

  it('from-hyco-ws.js runs as it did with hyco-ws', async () => {
    const program = start('from-hyco-ws.js', {
      env: {
        SB_HC_NAMESPACE: relay.namespace,
        SB_HC_PATH: 'hyco',
        SB_HC_KEYRULE: relay.emulator.keyName,
        SB_HC_KEY: relay.emulator.key,
      },
    })
    await program.says('listening')
    const socket = await connect()
    socket.send('{"a":1}')
    await program.says('{ a: 1 }')
    socket.close(1000)
    await program.says('connection closed')
  })

  it('typescript.ts compiles strictly, and runs', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'hyco-rs-typescript-'))
    try {
      mkdirSync(join(folder, 'node_modules'))
      symlinkSync(join(__dirname, '..'), join(folder, 'node_modules', 'hyco-rs'), 'junction')
      const tsc = require.resolve('typescript/bin/tsc')
      const options = [
        '--strict',
        '--rootDir',
        EXAMPLES,
        '--module',
        'node16',
        '--target',
        'es2022',
        '--outDir',
        folder,
      ]
      execFileSync(process.execPath, [tsc, ...options, join(EXAMPLES, 'typescript.ts')])
      const env = { HYCO_CONNECTION_STRING: connectionString }
      const program = new Program(join(folder, 'typescript.js'), { env })
      running.push(program)
      await program.says('listening at')
      const socket = await connect()
      assert.equal(await ask(socket, '{"name":"ada"}'), '{"hello":"ada"}')
      assert.equal(await ask(socket, 'nonsense'), '{"error":"no name"}')
      socket.terminate()
      await program.end()
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

/** Why a program cannot be ended as a container ends it; `false` where it can. */
function noSignals() {
  return process.platform === 'win32' && 'Windows has no SIGTERM'
}
