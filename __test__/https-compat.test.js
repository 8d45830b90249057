'use strict'

const assert = require('node:assert/strict')
const { execFile } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const http = require('node:http')
const https = require('node:https')
const os = require('node:os')
const path = require('node:path')
const { after, before, describe, it } = require('node:test')
const { promisify } = require('node:util')
const WebSocket = require('ws')

const relayed = require('../https')
const hycoHttps = require('./support/hyco-https')
const HttpSetting = require('./support/http-server')
const { until } = require('./support/watch')

const run = promisify(execFile)
const TIMEOUT = { timeout: 300_000 }

describe('hyco-rs/https', TIMEOUT, () => {
  let setting
  let uri
  let token

  before(async () => {
    setting = await HttpSetting.start(null)
    uri = relayed.createRelayListenUri(setting.relay.namespace, 'hyco')
    token = () => setting.relay.token()
  })

  after(() => setting.close())

  it('exports all of node:https, which it leaves as it is', () => {
    for (const name of Object.keys(https)) {
      if (name === 'Server') continue
      assert.equal(relayed[name], https[name], name)
    }
    assert.notEqual(relayed.Server, https.Server)
    assert.equal('createRelayedServer' in https, false)
    assert.equal(relayed.createServer() instanceof https.Server, true)
  })

  it('exports the same to import', async () => {
    const imported = await import('../https.mjs')
    for (const name of Object.keys(relayed)) assert.equal(imported[name], relayed[name], name)
    assert.equal(imported.default, relayed)
  })

  it('makes the addresses and tokens of hyco-https', () => {
    const old = hycoHttps()
    const namespace = 'contoso.servicebus.windows.net'
    for (const name of ['createRelayHttpsUri', 'createRelaySendUri', 'createRelayListenUri']) {
      for (const path of ['hyco', 'a/b?c=d']) {
        for (const rest of [[], ['to/k=en'], ['token', 'an id'], [null, 'id']]) {
          assert.equal(relayed[name](namespace, path, ...rest), old[name](namespace, path, ...rest))
        }
      }
    }
    const made = relayed.createRelayToken(`https://${namespace}/hyco`, 'rule', 'key', 1000)
    const same = old.createRelayToken(`https://${namespace}/hyco`, 'rule', 'key', 1000)
    const withoutTime = (text) => text.replace(/&(?:sig|se)=[^&]*/g, '')
    assert.equal(withoutTime(made), withoutTime(same))
    assert.equal(
      relayed.createRelayHttpsUri('ws://localhost:9400', 'hyco'),
      'http://localhost:9400/hyco',
    )
    assert.equal(
      relayed.createRelayHttpsUri(namespace, 'hyco/ü b?x=1 2&y=%2F'),
      `https://${namespace}/hyco/%C3%BC%20b?x=1%202&y=%2F`,
    )
  })

  it('listens when it is told to, serves, meets upgrades, and closes', async () => {
    const server = relayed.createRelayedServer({ server: uri, token }, (req, res) => {
      assert.ok(req instanceof http.IncomingMessage)
      res.end(`${req.method} ${req.url}`)
    })
    assert.ok(server instanceof relayed.Server && server instanceof http.Server)
    assert.equal(server.listenUri, uri)
    const state = () => [server.listening, server.closeRequested, server.address()?.port]
    assert.deepEqual(state(), [false, true, undefined])
    assert.equal((await setting.request('')).statusCode, 404)
    await new Promise((resolve) => server.listen(resolve))
    assert.deepEqual(state(), [true, false, Number(new URL(uri).port)])
    assert.throws(() => server.listen(), { code: 'ERR_SERVER_ALREADY_LISTEN' })
    assert.equal(String((await setting.request('/x')).body), 'GET /hyco/x')
    const long = { headers: { 'x-long': 'x'.repeat(30 * 1024) } }
    assert.equal((await setting.request('', long)).statusCode, 200)
    const wss = new WebSocket.Server({ noServer: true })
    server.on('upgrade', (...args) => wss.handleUpgrade(...args, (ws) => ws.send('hi')))
    const client = new WebSocket(setting.relay.sendUri('hyco'))
    assert.equal(String((await once(client, 'message'))[0]), 'hi')
    client.close()
    await once(client, 'close')
    await new Promise((resolve) => server.close(resolve))
    assert.deepEqual(state(), [false, true, undefined])
    assert.equal((await setting.request('')).statusCode, 404)
  })

  it("tells 'error' of each try that fails to those who listen, and ends nobody else", async () => {
    const server = relayed.createRelayedServer({
      server: 'ws://127.0.0.1:1/$hc/hyco',
      token,
      reconnect: { delays: [1], jitter: 0 },
    })
    let tries = 0
    server.on('offline', () => tries++)
    server.listen()
    await until(() => tries >= 2, 'tries that nobody is told of')
    const failures = []
    server.on('error', (error) => failures.push(error.code))
    await until(() => failures.length >= 2, 'failures')
    assert.deepEqual(new Set(failures), new Set(['HYCO_ERR_CONNECT']))
    server.removeAllListeners('error')
    const before = tries
    await until(() => tries > before, 'another try')
    await new Promise((resolve) => server.close(resolve))
  })

  it('lets open requests finish by drain(), and ends them by close()', async () => {
    for (const [waits, statusCode] of [
      [true, 200],
      [false, 502],
    ]) {
      const server = relayed.createRelayedServer({ server: uri, token })
      server.listen()
      await once(server, 'listening')
      const asked = setting.request('')
      const [, res] = await once(server, 'request')
      const drained = waits ? server.relayed.drain() : undefined
      if (waits) res.end()
      await drained
      await new Promise((resolve) => server.close(resolve))
      assert.equal((await asked).statusCode, statusCode)
    }
  })

  it('needs no new, and says what is missing', () => {
    const { Server } = relayed
    assert.ok(Server({ server: uri, token }) instanceof Server)
    assert.throws(() => new Server({ token }), TypeError)
    assert.throws(() => new Server({ server: uri }), TypeError)
  })

  it('setTimeout() closes a request on which nothing happens', async () => {
    const server = relayed.createRelayedServer({ server: uri, token }, () => {})
    server.setTimeout(50)
    server.listen()
    await once(server, 'listening')
    assert.equal((await setting.request('')).statusCode, 502)
    await new Promise((resolve) => server.close(resolve))
  })

  it("runs hyco-https' README program with one line changed", async () => {
    const readme = fs.readFileSync(path.join(hycoHttps.home(), 'README.md'), 'utf8')
    const [, program] = /``` js\r?\n(.*?)```/s.exec(readme)
    assert.ok(program.includes("const https = require('hyco-https');"))
    const changed = program.replace(
      "const https = require('hyco-https');",
      `const https = require(${JSON.stringify(require.resolve('../https'))});`,
    )
    await serves(changed, 'stdout', 'listening')
  })

  it("runs hyco-https' own example with one line changed, which prints what it has not", async () => {
    const file = path.join(hycoHttps.home(), 'examples', 'simple', 'listener.js')
    const program = fs.readFileSync(file, 'utf8')
    assert.ok(program.includes("require('../../')"))
    const changed = program.replace("'../../'", JSON.stringify(require.resolve('../https')))
    await serves(changed, 'stderr', 'port is not defined. The server listens all the same.')
  })

  /** Runs a sample of hyco-https until it says something, and asks it for its page. */
  async function serves(program, output, text) {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hyco-rs-test-'))
    const file = path.join(folder, 'program.js')
    fs.writeFileSync(file, program)
    const { keyName, key } = setting.relay.emulator
    const env = {
      ...process.env,
      SB_HC_NAMESPACE: setting.relay.namespace,
      SB_HC_PATH: 'hyco',
      SB_HC_KEYRULE: keyName,
      SB_HC_KEY: key,
    }
    const running = run(process.execPath, [file], { env, timeout: 300_000 })
    const ended = running.then(
      () => assert.fail('the program ended'),
      (error) => error,
    )
    let said = ''
    const ready = new Promise((resolve) => {
      running.child[output].on('data', (data) => {
        said += data
        if (said.includes(text)) resolve()
      })
    })
    const failed = await Promise.race([ready, ended])
    if (failed) throw failed
    const response = await setting.request('/page')
    assert.equal(response.headers['content-type'], 'text/html')
    assert.match(String(response.body), /Relayed Node.js Server!/)
    running.child.kill()
    await ended
    fs.rmSync(folder, { recursive: true })
  }
})

describe('the local relay with hyco-https 1.4.5 as listener', TIMEOUT, () => {
  it('passes small and large answers, bodies, and what it sends too much (E52, E56, E71)', async () => {
    const setting = await HttpSetting.start(null)
    const file = path.join(__dirname, 'programs', 'hyco-https-listener.js')
    const uri = setting.relay.listenUri('hyco')
    const running = run(process.execPath, [file, hycoHttps.home(), uri, setting.relay.token()])
    await new Promise((resolve) => running.child.stdout.once('data', resolve))
    const posted = await setting.request('/echo', { method: 'POST' }, 'hello')
    assert.equal(String(posted.body), 'hello')
    assert.equal((await setting.request('/large')).body.length, 70_000)
    assert.equal((await setting.request('/204')).statusCode, 204)
    assert.equal((await setting.request('/large', { method: 'HEAD' })).body.length, 0)
    assert.equal(
      String((await setting.request('/echo', { method: 'POST' }, 'again')).body),
      'again',
    )
    running.child.kill()
    await running.catch(() => {})
    await setting.close()
  })
})
