'use strict'

const assert = require('node:assert/strict')
const { X509Certificate } = require('node:crypto')
const { once } = require('node:events')
const { mkdtempSync, readFileSync, rmSync, writeFileSync } = require('node:fs')
const http = require('node:http')
const net = require('node:net')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const { after, afterEach, before, describe, it } = require('node:test')
const tls = require('node:tls')

const hyco = require('../..')
const Cli = require('../support/cli')
const { examine, failure, serve: serving } = require('../support/doctor')
const TestRelay = require('../support/relay')

const TLS = join(__dirname, '..', 'support', 'tls')

const KEYS = ['--key-name', 'rule', '--key', 'a-secret-key']

describe('hyco-rs doctor', { timeout: 900_000 }, () => {
  let relay
  let folder
  const ending = []

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'hyco-rs-doctor-'))
    relay = await TestRelay.start({
      hybridConnections: ['hyco', 'busy', { path: 'open', requiresClientAuthorization: false }],
      rules: [
        { keyName: 'all', key: 'a-secret-key' },
        { keyName: 'listener', key: 'a-secret-key', rights: ['Listen'] },
        { keyName: 'sender', key: 'a-secret-key', rights: ['Send'] },
      ],
    })
  })

  after(async () => {
    await relay.close()
    rmSync(folder, { recursive: true })
  })

  afterEach(async () => {
    while (ending.length > 0) await ending.pop()()
  })

  const at = (path, keyName = 'all') => [
    '--namespace',
    relay.namespace,
    '--path',
    path,
    '--key-name',
    keyName,
    '--key',
    'a-secret-key',
  ]

  const serve = (server) => serving(server, ending)

  it('finds nothing wrong where nothing is', async () => {
    const { code, checks } = await examine(at('hyco'))
    assert.equal(code, 0)
    for (const name of ['name', 'TCP', 'clock', 'token', 'entity', 'send', 'listen']) {
      assert.equal(checks[name].status, 'ok', name)
    }
    assert.equal(checks.listeners.status, 'warning')
    assert.match(checks['round trip'].detail, /met after \d+ ms, .* back after \d+ ms/)
  })

  it('looks through TLS too, and at the certificate that --insecure takes', async () => {
    const secured = await TestRelay.start({ tls: true })
    ending.push(() => secured.close())
    const ca = join(folder, 'ca.pem')
    writeFileSync(ca, secured.ca)
    const where = [secured.emulator.connectionString, '-p', 'hyco']
    const trusted = await examine([...where, '--ca', ca])
    assert.equal(trusted.code, 0)
    assert.match(trusted.checks.TLS.detail, /^TLSv1\.\d, certificate of .*, until /)
    const insecure = await examine([...where, '--insecure'])
    assert.equal(insecure.code, 0)
    assert.match(insecure.checks.certificate.detail, /would be refused/)
    const refused = await examine(where)
    assert.equal(refused.code, 3)
    assert.match(failure(refused.checks), /^TLS: .*does not trust.*--ca FILE/)
  })

  it('tells people in lines, one a check', async () => {
    const { code, stdout } = await Cli.run(['doctor', ...at('missing')])
    assert.equal(code, 5)
    assert.match(stdout, /^ok +name /m)
    assert.match(stdout, /^failed +entity .*does not exist.*\n +Start the local relay with it/m)
    assert.match(stdout, /It does not work\. Failed checks: 1\.\n$/)
    const well = await Cli.run(['doctor', ...at('open')])
    assert.match(well.stdout, /It works\. Warnings: 1\.\n$/)
  })

  it('names a configuration that is missing or wrong', async () => {
    const missing = await examine([])
    assert.equal(missing.code, 2)
    assert.match(failure(missing.checks), /^configuration: .*HYCO_CONNECTION_STRING/)
    const env = { HYCO_CONNECTION_STRING: 'Endpoint=sb://x/;SharedAccessKey=a-secret' }
    const wrong = await examine(['-p', 'hyco'], { env })
    assert.equal(wrong.code, 2)
    assert.match(failure(wrong.checks), /HYCO_CONNECTION_STRING of the environment cannot be used/)
  })

  it('names a name that has no address', async () => {
    const { code, checks } = await examine(['-n', 'contoso.invalid', '-p', 'hyco', ...KEYS])
    assert.equal(code, 3)
    assert.match(failure(checks), /^name: The name 'contoso\.invalid' has no address: E/)
  })

  it('names a port where nothing listens', async () => {
    const { code, checks } = await examine(['-n', 'ws://127.0.0.1:1', '-p', 'hyco', ...KEYS])
    assert.equal(code, 3)
    assert.match(failure(checks), /^TCP: .* cannot be reached: ECONNREFUSED.*Nothing listens/)
  })

  for (const [file, what] of [
    ['expired', /^TLS: The certificate ended on .* 2021 .*clock/],
    ['future', /^TLS: The certificate is not valid yet.*clock/],
    ['other-name', /^TLS: The certificate is for another name: .*other\.example/],
  ]) {
    it(`names a certificate that is wrong: ${file}`, async () => {
      const cert = join(TLS, `${file}.pem`)
      const key = readFileSync(join(TLS, 'odd-key.pem'))
      const port = await serve(tls.createServer({ cert: readFileSync(cert), key }))
      const where = ['-n', `wss://localhost:${port}`, '-p', 'hyco', ...KEYS]
      const { code, checks } = await examine([...where, '--ca', cert])
      assert.equal(code, 3)
      assert.match(failure(checks), what)
    })
  }

  it('warns of a certificate that ends soon, in days', async () => {
    const [cert, key] = ['cert', 'key'].map((name) => readFileSync(join(TLS, `${name}.pem`)))
    const port = await serve(
      tls.createServer({ cert, key }, (socket) => socket.once('data', () => socket.end())),
    )
    const where = ['-n', `wss://localhost:${port}`, '-p', 'hyco', ...KEYS]
    const clock = join(folder, 'clock.js')
    const end = Date.parse(new X509Certificate(cert).validTo)
    for (const [left, detail] of [
      [13.5, 'it ends in 13 days'],
      [1.5, 'it ends in 1 day'],
      [0.5, 'it ends in less than a day'],
      [15, undefined],
    ]) {
      // The certificates of this folder live long; it is the doctor's clock that is near their end.
      const shift = Math.round(end - left * 86_400_000 - Date.now())
      writeFileSync(clock, `const { now } = Date\nDate.now = () => now() + ${shift}\n`)
      const env = { NODE_OPTIONS: `--require ${JSON.stringify(clock)}` }
      const { checks } = await examine([...where, '--ca', join(TLS, 'ca.pem')], { env })
      assert.equal(checks.TLS.status, 'ok')
      assert.equal(checks.certificate?.status, detail && 'warning')
      assert.equal(checks.certificate?.detail, detail)
    }
  })

  for (const [status, hint] of [
    ['200 OK', /is no relay: check the address/],
    ['302 Found', /is no relay: check the address/],
    ['407 Who are you', /^relay: .*407 .*proxy/],
    ['429 Too Many', /^relay: .*429 .*try again later/],
    ['503 Busy', /^relay: .*503 .*try again later/],
  ]) {
    it(`does not take something that answers ${status} for a relay with a listener`, async () => {
      const answer = `HTTP/1.1 ${status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`
      const port = await serve(
        net.createServer((socket) => socket.once('data', () => socket.end(answer))),
      )
      const { code, checks } = await examine([
        '-n',
        `ws://127.0.0.1:${port}`,
        '-p',
        'hyco',
        ...KEYS,
      ])
      assert.notEqual(code, 0)
      assert.equal(checks.listeners, undefined)
      assert.match(failure(checks), hint)
    })
  }

  it('names a port that speaks no TLS, and one that never answers', async () => {
    const plain = relay.namespace.replace('ws:', 'wss:')
    const spoken = await examine(['-n', plain, '-p', 'hyco', ...KEYS])
    assert.equal(spoken.code, 3)
    assert.match(failure(spoken.checks), /^TLS: What answers there speaks no TLS.*ws:\/\//)
    const port = await serve(net.createServer())
    const silent = ['-n', `wss://localhost:${port}`, '-p', 'hyco', ...KEYS, '--timeout', '2']
    assert.match(failure((await examine(silent)).checks), /^TLS: .*no answer within 2 s/)
  })

  for (const [skew, status, what] of [
    [600_000, 'failed', /is (59\d|60\d) s behind the relay's/],
    [-600_000, 'failed', /is (59\d|60\d) s ahead of the relay's/],
    [60_000, 'warning', /is (5\d|6\d) s behind/],
    [0, 'ok', /is \d s/],
    [undefined, 'skipped', /does not tell its time/],
  ]) {
    it(`tells a clock that is ${skew} ms off: ${status}`, async () => {
      const port = await serve(
        http.createServer((_, response) => {
          response.sendDate = false
          if (skew !== undefined) {
            response.setHeader('Date', new Date(Date.now() + skew).toUTCString())
          }
          response.end()
        }),
      )
      const { checks } = await examine(['-n', `ws://127.0.0.1:${port}`, '-p', 'hyco', ...KEYS])
      assert.equal(checks.clock.status, status)
      assert.match(checks.clock.detail, what)
    })
  }

  it('names a server that speaks no HTTP', async () => {
    const port = await serve(net.createServer((socket) => socket.end('220 mail\r\n')))
    const { code, checks } = await examine(['-n', `ws://127.0.0.1:${port}`, '-p', 'hyco', ...KEYS])
    assert.equal(code, 3)
    assert.match(failure(checks), /^clock: An HTTP request failed/)
  })

  it('names a port that takes connections and is silent, and what may be the cause', async () => {
    const port = await serve(net.createServer())
    const where = ['-n', `ws://127.0.0.1:${port}`, '-p', 'hyco', ...KEYS, '--timeout', '2']
    const { code, checks } = await examine(where)
    assert.equal(code, 3)
    assert.equal(checks.TCP.status, 'ok')
    assert.match(failure(checks), /^clock: .*no answer within 2 s.*firewall.*proxy/)
  })

  const signed = (uri, seconds) => hyco.createRelayToken(uri, 'all', 'a-secret-key', seconds)
  const jwt = (claims) => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.e30`
  for (const [name, token, what] of [
    ['that has ended', () => signed(relay.namespace, -60), /ended \d+ s ago/],
    ['for another host', () => signed('http://contoso.net/hyco'), /is for contoso\.net/],
    ['for another path', () => signed(`${relay.namespace}/other`), /is for 'other', not 'hyco'/],
    ['without a part', () => 'SharedAccessSignature sr=a&se=1', /lacks a part/],
    ['that is none', () => 'nonsense', /cannot be read/],
    ['of Entra for something else', () => jwt({ aud: 'graph', exp: 9e9 }), /is for graph/],
    ['of Entra that has ended', () => jwt({ aud: 'https://relay.azure.net', exp: 1e9 }), /ended/],
  ]) {
    it(`names a token ${name}`, async () => {
      const where = ['-n', relay.namespace, '-p', 'hyco']
      const { code, checks } = await examine([...where, '--token', token()])
      assert.equal(code, 4)
      assert.match(failure(checks), new RegExp(`^token: .*${what.source}`))
    })
  }

  it('warns of a token that ends soon', async () => {
    const token = signed(relay.namespace, 120)
    const { code, checks } = await examine(['-n', relay.namespace, '-p', 'hyco', '--token', token])
    assert.equal(code, 0)
    assert.equal(checks.token.status, 'warning')
  })

  it('names a wrong key and an unknown rule', async () => {
    const where = ['-n', relay.namespace, '-p', 'hyco']
    for (const rule of [
      ['--key-name', 'all', '--key', 'a-secret-that-is-wrong'],
      ['--key-name', 'nobody', '--key', 'a-secret-key'],
    ]) {
      const { code, checks } = await examine([...where, ...rule])
      assert.equal(code, 4)
      assert.match(failure(checks), /^token in use: .*401.*The key is not that of the rule/)
    }
  })

  it('names the right that a rule lacks', async () => {
    const sender = await examine(at('hyco', 'sender'))
    assert.equal(sender.code, 4)
    assert.match(failure(sender.checks), /^listen: .*lacks the right Listen/)
    assert.equal(sender.checks.send.status, 'ok')
    const listener = await examine(at('hyco', 'listener'))
    assert.equal(listener.code, 0)
    assert.equal(listener.checks.send.status, 'warning')
    assert.equal(listener.checks.listen.status, 'ok')
    assert.equal(listener.checks['round trip'].status, 'skipped')
  })

  it('names a missing token where one is needed, and does without where none is', async () => {
    const needed = await examine(['-n', relay.namespace, '-p', 'hyco'])
    assert.equal(needed.code, 4)
    assert.match(failure(needed.checks), /^token in use: .*401.*wants a token/)
    const { code, checks } = await examine(['-n', relay.namespace, '-p', 'open'])
    assert.equal(code, 0)
    assert.equal(checks.send.detail, 'senders need no token')
  })

  it('names a hybrid connection that does not exist', async () => {
    const { code, checks } = await examine(at('missing'))
    assert.equal(code, 5)
    assert.match(failure(checks), /^entity: .*404.*Start the local relay with it/)
  })

  describe('beside another listener', () => {
    let other
    let met = 0

    before(async () => {
      other = hyco.createRelayedServer(
        { server: relay.listenUri('busy'), keyName: 'all', key: 'a-secret-key' },
        () => {
          met += 1
        },
      )
      await once(other, 'listening')
    })

    after(() => new Promise((resolve) => other.close(resolve)))

    it('neither takes its senders nor sends to it', async () => {
      const { code, checks } = await examine(at('busy'))
      assert.equal(code, 0)
      assert.equal(checks.listeners.status, 'ok')
      assert.equal(checks.listen.status, 'skipped')
      assert.equal(met, 0)
    })

    it('makes its round trip when asked, with itself', async () => {
      const { code, checks } = await examine([...at('busy'), '--round-trip', 'always'])
      assert.equal(code, 0)
      assert.equal(checks['round trip'].status, 'ok')
      assert.equal(met, 0)
    })
  })

  it('names a message that does not come back', async () => {
    relay.emulator.setFault({ kind: 'blackHole', on: 'connection' })
    ending.push(() => relay.emulator.clearFaults())
    const { code, checks } = await examine([...at('hyco'), '--timeout', '8'])
    assert.notEqual(code, 0)
    const { detail, status } = checks['round trip']
    assert.deepEqual([status, detail], ['failed', 'The message did not come back.'])
  })

  it('makes no round trip when told not to', async () => {
    const { checks } = await examine([...at('hyco'), '--round-trip', 'never'])
    assert.equal(checks.listen.status, 'skipped')
    assert.equal(checks['round trip'], undefined)
  })

  it('names a hybrid connection that has all the listeners it can have', async () => {
    const full = await TestRelay.start({ maxListeners: 1 })
    const { connectionString } = full.emulator
    const other = hyco.createRelayedServer({ connectionString, path: 'hyco' })
    await once(other, 'listening')
    ending.push(
      () => full.close(),
      () => new Promise((resolve) => other.close(resolve)),
    )
    const args = [connectionString, '-p', 'hyco', '--round-trip', 'always']
    const { code, checks } = await examine(args)
    assert.notEqual(code, 0)
    assert.match(failure(checks), /^listen: .*QuotaExceeded.*25/)
  })

  it('names a listener that cannot reach where senders are met', async () => {
    const astray = await TestRelay.start({ publicUrl: 'ws://127.0.0.1:1' })
    ending.push(() => astray.close())
    const { code, checks } = await examine([astray.emulator.connectionString, '-p', 'hyco'])
    assert.equal(code, 3)
    assert.match(failure(checks), /^round trip: The listener cannot meet a sender.*firewall/)
  })

  it('can be interrupted', { skip: Cli.unfit }, async () => {
    const port = await serve(net.createServer())
    const cli = new Cli(['doctor', '-n', `wss://localhost:${port}`, '-p', 'hyco', ...KEYS])
    ending.push(() => cli.end())
    await cli.says(/^ok +TCP /m)
    const { code, stderr } = await cli.interrupt()
    assert.equal(code, 130)
    assert.match(stderr, /Interrupted/)
  })
})
