'use strict'

const assert = require('node:assert/strict')
const { mkdtempSync, readFileSync, rmSync, writeFileSync } = require('node:fs')
const http = require('node:http')
const https = require('node:https')
const net = require('node:net')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const { after, afterEach, before, describe, it } = require('node:test')

const { examine, failure, serve: serving } = require('../support/doctor')
const { SimpleSocks } = require('../support/proxies')()
const TestRelay = require('../support/relay')

const TLS = join(__dirname, '..', 'support', 'tls')

const KEYS = ['--key-name', 'rule', '--key', 'a-secret-key']

describe('hyco-rs doctor and proxies', { timeout: 900_000 }, () => {
  let relay
  let folder
  const ending = []
  const serve = (server) => serving(server, ending)
  const at = (path) => [
    '-n',
    relay.namespace,
    '-p',
    path,
    '--key-name',
    'all',
    '--key',
    'a-secret-key',
  ]

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'hyco-rs-doctor-'))
    relay = await TestRelay.start({ rules: [{ keyName: 'all', key: 'a-secret-key' }] })
  })

  after(async () => {
    await relay.close()
    rmSync(folder, { recursive: true })
  })

  afterEach(async () => {
    while (ending.length > 0) await ending.pop()()
  })

  for (const [name, answer, what] of [
    ['refuses', 'HTTP/1.1 403 No\r\n\r\n', /^tunnel: .* answers 403 No\. .*CONNECT/],
    ['wants a password', 'HTTP/1.1 407 Who\r\n\r\n', /^tunnel: .* answers 407 Who\. .*password/],
    ['is none', 'nonsense\r\n\r\n', /^tunnel: The proxy .* does not answer: HPE_/],
    ['is silent', '', /^tunnel: The proxy .* does not answer: no answer within 2 s/],
  ]) {
    it(`names a proxy that ${name}`, async () => {
      const port = await serve(
        net.createServer((socket) => socket.once('data', () => socket.write(answer))),
      )
      const proxy = `http://user:s3cret@127.0.0.1:${port}`
      const where = ['-n', 'relay.example', '-p', 'hyco', ...KEYS]
      // What answers must not be late on a slow machine.
      if (answer === '') where.push('--timeout', '2')
      const option = await examine([...where, '--proxy', proxy])
      assert.equal(option.code, 3)
      assert.match(failure(option.checks), what)
      const variable = await examine(where, { env: { https_proxy: proxy } })
      assert.match(failure(variable.checks), what)
      assert.match(variable.checks.proxy.detail, /from the environment/)
    })
  }

  it('names a proxy that is down, and one that is no address', async () => {
    const where = ['-n', 'relay.example', '-p', 'hyco', ...KEYS]
    const down = await examine([...where, '--proxy', 'http://user:s3cret@127.0.0.1:1'])
    assert.match(failure(down.checks), /^TCP: 127\.0\.0\.1:1 cannot be reached/)
    const none = await examine([...where, '--proxy', 'http://s3cret@'])
    assert.equal(none.code, 2)
    assert.match(failure(none.checks), /^proxy: The proxy is no address/)
  })

  it('goes through a proxy that lets it pass, to a relay with TLS too', async () => {
    const proxy = http.createServer()
    const met = []
    proxy.on('connect', (request, socket) => {
      met.push(request.url)
      const [host, port] = request.url.split(':')
      const onward = net.connect(Number(port), host, () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n')
        socket.pipe(onward).pipe(socket)
      })
      for (const one of [socket, onward]) one.on('error', () => onward.destroy())
    })
    const port = await serve(proxy)
    const secured = await TestRelay.start({ tls: true })
    ending.push(() => secured.close())
    const ca = join(folder, 'ca.pem')
    writeFileSync(ca, secured.ca)
    const args = [secured.emulator.connectionString, '-p', 'hyco', '--ca', ca]
    const { code, checks } = await examine([...args, '--proxy', `127.0.0.1:${port}`])
    assert.equal(code, 0)
    assert.equal(checks.tunnel.status, 'ok')
    assert.equal(checks['round trip'].status, 'ok')
    // The step, the probe, the listener, its meeting with the sender, and the sender.
    assert.equal(met.length, 5)
  })

  for (const kind of ['https', 'socks5', 'socks5 with a password']) {
    it(`goes through a proxy of the kind ${kind}, step by step`, async () => {
      const [cert, key] = ['cert', 'key'].map((name) => readFileSync(join(TLS, `${name}.pem`)))
      const secured = await TestRelay.start({ tls: { cert, key } })
      ending.push(() => secured.close())
      let server
      let url
      if (kind === 'https') {
        server = https.createServer({ cert, key }).on('connect', (request, socket) => {
          const [host, port] = request.url.split(':')
          const onward = net.connect(Number(port), host, () => {
            socket.write('HTTP/1.1 200 OK\r\n\r\n')
            socket.pipe(onward).pipe(socket)
          })
          for (const one of [socket, onward]) one.on('error', () => onward.destroy())
        })
        url = `https://localhost:${await serve(server)}`
      } else {
        const authenticate = (user, password, _socket, callback) =>
          setImmediate(callback, `${user}:${password}` === 'me:s3cret' ? null : new Error('no'))
        const isOpen = kind === 'socks5'
        server = SimpleSocks.createServer(isOpen ? {} : { authenticate })
        url = `socks5://${isOpen ? '' : 'me:s3cret@'}127.0.0.1:${await serve(server)}`
      }
      const where = ['-n', secured.namespace.replace('127.0.0.1', 'localhost'), '-p', 'hyco']
      const rule = ['--key-name', secured.emulator.keyName, '--key', secured.emulator.key]
      const args = [...where, ...rule, '--ca', join(TLS, 'ca.pem'), '--proxy', url]
      const { code, checks } = await examine(args)
      assert.equal(code, 0, JSON.stringify(checks))
      for (const name of ['tunnel', 'TLS', 'clock', 'round trip']) {
        assert.equal(checks[name].status, 'ok', name)
      }
      if (kind !== 'socks5 with a password') return
      const wrong = await examine([...args.slice(0, -1), url.replace('s3cret', 's3cret-no')])
      assert.equal(wrong.code, 3)
      assert.match(failure(wrong.checks), /^tunnel: .* refuses the user and the password.*PASSWORD/)
    })
  }

  for (const [name, answer, what] of [
    ['refuses', [5, 0, 5, 2, 0, 1, 0, 0, 0, 0, 0, 0], /its rules do not allow it/],
    ['wants another way to sign in', [5, 255], /another way/],
    ['is none', [...Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')], /does not speak SOCKS5/],
    ['ends the connection', null, /ends the connection/],
    ['is silent', [], /no answer within 2 s/],
  ]) {
    it(`names a SOCKS proxy that ${name}`, async () => {
      const act = (socket) =>
        socket.once('data', () => (answer ? socket.write(Buffer.from(answer)) : socket.end()))
      const proxy = `socks5://127.0.0.1:${await serve(net.createServer(act))}`
      const where = ['-n', 'relay.example', '-p', 'hyco', ...KEYS]
      // What answers must not be late on a slow machine.
      if (answer?.length === 0) where.push('--timeout', '2')
      const { code, checks } = await examine([...where, '--proxy', proxy])
      assert.equal(code, 3)
      assert.match(failure(checks), new RegExp(`^tunnel: The proxy .*${what.source}`))
    })
  }

  it('heeds NO_PROXY', async () => {
    const { port } = new URL(relay.namespace)
    for (const NO_PROXY of ['example.org, 127.0.0.1', '10.0.0.0/8 127.0.0.0/8', `*:${port}`]) {
      const env = { ALL_PROXY: 'http://127.0.0.1:1', NO_PROXY }
      const { checks } = await examine(at('hyco'), { env })
      assert.equal(checks.proxy.detail, 'none')
      assert.equal(checks.TCP.status, 'ok')
      assert.equal(checks['round trip'].status, 'ok')
    }
    const env = { ALL_PROXY: 'http://127.0.0.1:1', NO_PROXY: '127.0.0.1:1' }
    const { checks } = await examine(at('hyco'), { env })
    assert.match(failure(checks), /^TCP: 127\.0\.0\.1:1 cannot be reached/)
  })
})
