'use strict'

const assert = require('node:assert/strict')
const { randomBytes } = require('node:crypto')
const { once } = require('node:events')
const http = require('node:http')
const net = require('node:net')
const { buffer, text } = require('node:stream/consumers')
const { after, afterEach, before, describe, it } = require('node:test')
const WebSocket = require('ws')

const hyco = require('../..')
const Cli = require('../support/cli')
const TestRelay = require('../support/relay')

describe('hyco-rs forward and listen --to', { skip: Cli.unfit, timeout: 600_000 }, () => {
  let relay
  let env
  const ending = []

  before(async () => {
    relay = await TestRelay.start({ hybridConnections: ['hyco'] })
    env = { HYCO_CONNECTION_STRING: `${relay.emulator.connectionString};EntityPath=hyco` }
  })

  after(() => relay.close())

  afterEach(async () => {
    while (ending.length > 0) await ending.pop()()
  })

  /** Starts the program and waits for its first words. */
  async function start(args, words) {
    const cli = new Cli(args, { env })
    ending.push(() => cli.end())
    const [, found] = await cli.says(words)
    return { cli, found }
  }

  /** A TCP server; returns its port. */
  async function tcpServer(onConnection) {
    const server = net.createServer({ allowHalfOpen: true }, (tcp) => {
      // The programs are killed at the end, which resets what is still open.
      tcp.on('error', () => {})
      onConnection(tcp)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    ending.push(() => new Promise((resolve) => server.close(resolve)))
    return server.address().port
  }

  /** Both ends of the pair; returns the local port. */
  async function pair(target) {
    await start(['listen', '--to', target], /listening at/)
    const { found } = await start(['forward', '0'], /127\.0\.0\.1:(\d+) leads to/)
    return Number(found)
  }

  it('carries TCP connections both ways, each by itself', async () => {
    const port = await pair(`127.0.0.1:${await tcpServer((tcp) => tcp.pipe(tcp))}`)
    const bodies = [randomBytes(3_000_000), randomBytes(10), randomBytes(200_000)]
    const echoes = await Promise.all(
      bodies.map((body) => {
        const tcp = net.connect(port, '127.0.0.1')
        tcp.end(body)
        return buffer(tcp)
      }),
    )
    echoes.forEach((echo, i) => assert.ok(echo.equals(bodies[i]), `body ${i}`))
  })

  it('carries half an end: a server may answer after the client has ended', async () => {
    const target = await tcpServer((tcp) => {
      let asked = ''
      tcp.setEncoding('utf8').on('data', (text) => {
        asked += text
      })
      tcp.on('end', () => tcp.end(`you asked ${asked}`))
    })
    const tcp = net.connect({
      port: await pair(String(target)),
      host: '127.0.0.1',
      allowHalfOpen: true,
    })
    tcp.end('a question')
    assert.equal(await text(tcp), 'you asked a question')
  })

  it('lets a server speak first', async () => {
    const port = await pair(String(await tcpServer((tcp) => tcp.resume().end('220 ready\r\n'))))
    assert.equal(await text(net.connect(port, '127.0.0.1')), '220 ready\r\n')
  })

  it('resets the client when the server cannot be reached, and says why on both sides', async () => {
    const listener = await start(['listen', '--to', '127.0.0.1:1'], /listening at/)
    const forward = await start(['forward', '0'], /127\.0\.0\.1:(\d+) leads to/)
    const tcp = net.connect(Number(forward.found), '127.0.0.1')
    await once(tcp, 'error')
    await forward.cli.says(/#1 failed: .*502.*The server cannot be reached/)
    await listener.cli.says(/refused with 502: 127\.0\.0\.1:1 ECONNREFUSED/)
  })

  it('makes a TCP connection of any sender with tcp://', async () => {
    const target = await tcpServer((tcp) => tcp.pipe(tcp))
    await start(['listen', '--to', `tcp://127.0.0.1:${target}`], /listening at/)
    const sender = hyco.relayedConnect(relay.sendUri('hyco'), relay.token())
    await once(sender, 'open')
    sender.send(Buffer.from('bytes'))
    const [data, isBinary] = await once(sender, 'message')
    assert.ok(isBinary)
    assert.equal(String(data), 'bytes')
    sender.close(1000)
    await once(sender, 'close')
  })

  it('passes WebSockets on, with address, headers, subprotocol, messages and end', async () => {
    const server = new WebSocket.Server({ host: '127.0.0.1', port: 0 })
    ending.push(() => new Promise((resolve) => server.close(resolve)))
    await once(server, 'listening')
    await start(['listen', '--to', String(server.address().port)], /listening at/)
    const accepted = once(server, 'connection')
    const sender = hyco.relayedConnect(relay.sendUri('hyco/chat?a=1'), relay.token(), {
      headers: { Cookie: 'a=b' },
      protocols: ['one', 'two'],
    })
    await once(sender, 'open')
    const [socket, request] = await accepted
    assert.equal(request.url, '/hyco/chat?a=1')
    assert.equal(request.headers.cookie, 'a=b')
    assert.equal(sender.protocol, 'one')
    socket.send('welcome')
    assert.equal(String((await once(sender, 'message'))[0]), 'welcome')
    sender.send(Buffer.from([1]))
    assert.deepEqual(await once(socket, 'message'), [Buffer.from([1]), true])
    const closed = once(sender, 'close')
    socket.close(4000, 'enough')
    const [code, reason] = await closed
    assert.equal(code, 4000)
    assert.equal(String(reason), 'enough')
  })

  it('passes HTTP requests on, and tells of each', async () => {
    const server = http.createServer(async (request, response) => {
      const body = await text(request)
      response.writeHead(201, { 'X-Seen': request.headers['x-name'] })
      response.end(`${request.method} ${request.url} ${body}`)
    })
    server.listen(0, '127.0.0.1')
    ending.push(() => new Promise((resolve) => server.close(resolve)))
    await once(server, 'listening')
    const target = `http://127.0.0.1:${server.address().port}`
    const { cli } = await start(['listen', '--to', target], /listening at/)
    const args = ['http', '/users?id=1', '-d', 'ada', '-H', 'X-Name: eve', '--json']
    const { code, stdout } = await Cli.run(args, { env })
    assert.equal(code, 0)
    const { statusCode, headers, body } = JSON.parse(stdout)
    assert.deepEqual([statusCode, body], [201, 'POST /hyco/users?id=1 ada'])
    assert.equal(headers['x-seen'], 'eve')
    await cli.says(/POST \/hyco\/users\?id=1 201 after \d+ ms/)
  })

  it('cuts the path of the hybrid connection off with --strip-path, for both', async () => {
    const seen = []
    const server = http.createServer((request, response) => {
      seen.push(`${request.url} ${request.headers['x-forwarded-prefix']}`)
      response.end('fine')
    })
    const webSockets = new WebSocket.Server({ server })
    webSockets.on('connection', (socket, request) => {
      seen.push(`${request.url} ${request.headers['x-forwarded-prefix']}`)
      socket.close(1000)
    })
    server.listen(0, '127.0.0.1')
    ending.push(() => new Promise((resolve) => server.close(resolve)))
    await once(server, 'listening')
    const to = String(server.address().port)
    await start(['listen', '--to', to, '--strip-path'], /listening at/)
    for (const target of ['/users?id=1', '', '?a=1']) {
      const { code, stdout } = await Cli.run(['http', ...(target ? [target] : [])], { env })
      assert.deepEqual([code, stdout], [0, 'fine'])
    }
    for (const suffix of ['/chat?a=1', '', '?a=1']) {
      const sender = hyco.relayedConnect(relay.sendUri(`hyco${suffix}`), relay.token())
      await once(sender, 'close')
    }
    assert.deepEqual(
      seen,
      ['/users?id=1', '/', '/?a=1', '/chat?a=1', '/', '/?a=1'].map((url) => `${url} /hyco`),
    )
    const alone = await Cli.run(['listen', '--strip-path'], { env })
    assert.equal(alone.code, 2)
    assert.match(alone.stderr, /--strip-path is for --to/)
  })

  it('refuses a WebSocket with the status of the server', async () => {
    const server = new WebSocket.Server({
      host: '127.0.0.1',
      port: 0,
      verifyClient: (_, decide) => decide(false, 418),
    })
    ending.push(() => new Promise((resolve) => server.close(resolve)))
    await once(server, 'listening')
    await start(['listen', '--to', `ws://127.0.0.1:${server.address().port}`], /listening at/)
    const sender = hyco.relayedConnect(relay.sendUri('hyco'), relay.token())
    const [error] = await once(sender, 'error')
    assert.equal(error.statusCode, 418)
  })

  it('ends with its connections on Ctrl+C', async () => {
    const target = await tcpServer((tcp) => tcp.resume())
    await start(['listen', '--to', String(target)], /listening at/)
    const { cli, found } = await start(['forward', '0'], /127\.0\.0\.1:(\d+) leads to/)
    const tcp = net.connect(Number(found), '127.0.0.1').on('error', () => {})
    await cli.says('#1 connected')
    const closed = once(tcp, 'close')
    const { code } = await cli.interrupt()
    assert.equal(code, 0)
    await closed
  })

  it('says what is wrong with a port or a target', async () => {
    const port = await Cli.run(['forward', 'ssh'], { env })
    assert.equal(port.code, 2)
    assert.match(port.stderr, /'ssh' is no port/)
    const target = await Cli.run(['listen', '--to', 'nowhere'], { env })
    assert.equal(target.code, 2)
    assert.match(target.stderr, /--to cannot lead to 'nowhere'/)
    const taken = await tcpServer(() => {})
    const busy = await Cli.run(['forward', String(taken)], { env })
    assert.equal(busy.code, 1)
    assert.match(busy.stderr, /EADDRINUSE.*\n.*another port/)
    // Reserved for documentation, so no machine has it.
    const foreign = await Cli.run(['forward', '192.0.2.1:0'], { env })
    assert.match(foreign.stderr, /EADDRNOTAVAIL.*\n.*an address of this machine/)
  })
})
