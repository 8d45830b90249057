'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { mkdtempSync, readFileSync, rmSync, writeFileSync } = require('node:fs')
const http = require('node:http')
const https = require('node:https')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const { text } = require('node:stream/consumers')
const { after, before, describe, it } = require('node:test')

const Cli = require('../support/cli')
const { ca, cert, key } = require('../support/certificate')
const { SimpleSocks } = require('../support/proxies')()
const TestRelay = require('../support/relay')

describe('hyco-rs http', { timeout: 600_000 }, () => {
  let folder
  let server
  let secured
  let where

  /** A server in the place of the relay: what a command sends can be seen there. */
  async function answer(request, response) {
    const { headers, method, url } = request
    if (url.includes('/broken')) {
      response.writeHead(200, { 'Content-Length': 100 }).write('begin')
      setImmediate(() => response.destroy())
      return
    }
    const status = url.includes('/missing') ? 404 : 200
    response.writeHead(status, 'As you say', { 'Set-Cookie': ['a=1', 'b=2'] })
    if (url.includes('/bytes')) response.end(Buffer.from([0xff, 0xfe]))
    else response.end(JSON.stringify({ method, url, headers, body: await text(request) }))
  }

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'hyco-rs-http-'))
    server = http.createServer(answer)
    secured = https.createServer({ cert, key }, answer)
    for (const one of [server, secured]) {
      one.listen(0, '127.0.0.1')
      await once(one, 'listening')
    }
    const { port } = server.address()
    where = ['-n', `ws://127.0.0.1:${port}`, '-p', 'hyco', '--key-name', 'a', '--key', 'k3y', '-q']
  })

  after(async () => {
    for (const one of [server, secured]) await new Promise((resolve) => one.close(resolve))
    rmSync(folder, { recursive: true })
  })

  it('sends a request with a token and writes the body', async () => {
    const { code, stdout, stderr } = await Cli.run(['http', ...where, '/users?id=1'])
    assert.equal(stderr, '')
    assert.equal(code, 0)
    const { method, url, headers, body } = JSON.parse(stdout)
    assert.deepEqual([method, url, body], ['GET', '/hyco/users?id=1', ''])
    assert.match(headers.servicebusauthorization, /^SharedAccessSignature sr=.*skn=a$/)
    assert.equal(headers.authorization, undefined)
  })

  it('goes through a SOCKS5 proxy', async () => {
    let met = 0
    const proxy = SimpleSocks.createServer().on('proxyConnect', () => met++)
    proxy.listen(0, '127.0.0.1')
    await once(proxy, 'listening')
    const through = ['--proxy', `socks5://127.0.0.1:${proxy.address().port}`]
    const { code, stdout, stderr } = await Cli.run(['http', ...where, ...through, '-d', 'x', '/a'])
    assert.equal(stderr, '')
    assert.equal(code, 0)
    const { method, url, body } = JSON.parse(stdout)
    assert.deepEqual([method, url, body, met], ['POST', '/hyco/a', 'x', 1])
    await new Promise((resolve) => proxy.close(resolve))
  })

  it('sends a body, as a text, a file or standard input, and headers (C59)', async () => {
    const file = join(folder, 'body')
    writeFileSync(file, 'from a file')
    for (const [data, input, expected] of [
      ['{"a":1}', '', '{"a":1}'],
      [`@${file}`, '', 'from a file'],
      ['@-', 'from input', 'from input'],
    ]) {
      const args = ['http', ...where, '-d', data, '-H', 'X-Name: ada', '-H', 'Authorization: mine']
      const { stdout } = await Cli.run(args, { input })
      const { method, headers, body } = JSON.parse(stdout)
      assert.deepEqual([method, body, headers['x-name']], ['POST', expected, 'ada'])
      assert.equal(headers.authorization, 'mine')
    }
    const { stdout } = await Cli.run(['http', ...where, '-X', 'PUT', '-d', 'x'])
    assert.equal(JSON.parse(stdout).method, 'PUT')
  })

  it('writes status and headers with --include, and all of it as JSON with --json', async () => {
    const plain = await Cli.run(['http', ...where, '-i'])
    assert.match(plain.stdout, /^HTTP\/1\.1 200 As you say\nSet-Cookie: a=1\nSet-Cookie: b=2\n/)
    const { stdout } = await Cli.run(['http', ...where, '--json', '/bytes'])
    const { statusCode, statusMessage, headers, base64 } = JSON.parse(stdout)
    assert.deepEqual([statusCode, statusMessage, base64], [200, 'As you say', '//4='])
    assert.deepEqual(headers['set-cookie'], ['a=1', 'b=2'])
  })

  it('writes the bytes of the body as they are, to a file too', async () => {
    const file = join(folder, 'answer')
    const { code } = await Cli.run(['http', ...where, '/bytes', '-o', file])
    assert.equal(code, 0)
    assert.deepEqual(readFileSync(file), Buffer.from([0xff, 0xfe]))
  })

  it('exits with 6 for an error status only with --fail', async () => {
    assert.equal((await Cli.run(['http', ...where, '/missing'])).code, 0)
    const { code, stdout, stderr } = await Cli.run(['http', ...where, '/missing', '--fail'])
    assert.equal(code, 6)
    assert.match(stderr, /The answer is 404 As you say/)
    assert.match(stdout, /missing/)
  })

  it('goes over TLS, and checks the certificate', async () => {
    const file = join(folder, 'ca.pem')
    writeFileSync(file, ca)
    const secure = ['http', '-n', `wss://localhost:${secured.address().port}`, '-p', 'hyco']
    const trusted = await Cli.run([...secure, '--ca', file])
    assert.equal(JSON.parse(trusted.stdout).url, '/hyco')
    const refused = await Cli.run(secure)
    assert.equal(refused.code, 3)
    assert.match(refused.stderr, /whom this machine does not trust/)
  })

  it('says when an answer breaks off, or there is none', async () => {
    const broken = await Cli.run(['http', ...where, '/broken'])
    assert.equal(broken.code, 3)
    assert.match(broken.stderr, /The answer broke off/)
    const none = await Cli.run(['http', '-n', 'ws://127.0.0.1:1', '-p', 'hyco'])
    assert.equal(none.code, 3)
    assert.match(none.stderr, /127\.0\.0\.1:1 cannot be reached: ECONNREFUSED/)
  })

  it('says what is wrong with a file, a method or a header', async () => {
    for (const [args, what] of [
      [['-d', '@/no/such/file'], /file of --data cannot be read/],
      [['-o', '/no/such/folder/file'], /file of --output cannot be written/],
      [['-X', 'GE T'], /The request cannot be sent: .*[Mm]ethod/],
      [['-X', 'connect'], /--request cannot be CONNECT.*\n.*hyco-rs forward/],
      [['-H', 'nonsense'], /is no header/],
    ]) {
      const { code, stderr } = await Cli.run(['http', ...where, ...args])
      assert.equal(code, 2)
      assert.match(stderr, what)
    }
  })

  it("shows the local relay's answer where nobody listens", async () => {
    const relay = await TestRelay.start()
    try {
      const args = ['http', '-c', relay.emulator.connectionString, '-p', 'hyco', '--json']
      const { code, stdout } = await Cli.run(args)
      assert.equal(code, 0)
      assert.ok(JSON.parse(stdout).statusCode >= 400)
    } finally {
      await relay.close()
    }
  })
})
