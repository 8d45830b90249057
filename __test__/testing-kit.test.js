'use strict'

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const { once } = require('node:events')
const { describe, it, mock } = require('node:test')
const { startRelayKit } = require('hyco-rs/testing')

require('./support/environment')

const TIMEOUT = { timeout: 300_000 }

const echo = (socket) => socket.on('message', (data) => socket.send(`said ${data}`))

/** Runs a program, which has to end by itself. @return {String} what it prints */
function outputOf(program) {
  const options = { cwd: __dirname, encoding: 'utf8', timeout: 60_000 }
  const { stdout, stderr, status } = spawnSync(process.execPath, ['-e', program], options)
  assert.equal(status, 0, stderr)
  return stdout
}

describe('the testing kit', TIMEOUT, () => {
  it('gives a relay, a server and senders, and is closed with the test', async (t) => {
    let kit
    await t.test('inside', async (inner) => {
      kit = await startRelayKit(inner, { onConnection: echo })
      const sender = await kit.connect()
      sender.send('hello')
      assert.equal(String((await once(sender, 'message'))[0]), 'said hello')
    })
    assert.equal(kit.server.status, 'closed')
    assert.equal(kit.server.metrics().active, 0)
  })

  it('gives both ends of a connection, over TLS as well', async (t) => {
    const kit = await startRelayKit(t, { relay: { tls: true }, path: 'secure' })
    const { sender, socket, request } = await kit.pair({ headers: { 'X-Test': 'yes' } })
    assert.equal(request.headers['x-test'], 'yes')
    socket.send('hello')
    assert.equal(String((await once(sender, 'message'))[0]), 'hello')
  })

  it('takes a function like afterAll of Jest and Vitest, or nothing', async () => {
    const ends = []
    const kit = await startRelayKit((end) => ends.push(end))
    assert.equal(ends.length, 1)
    await Promise.all([ends[0](), kit.close()])
    const other = await startRelayKit()
    await other.close()
  })

  it('takes its options alone', async () => {
    const kit = await startRelayKit({ path: 'alone', onConnection: echo })
    assert.equal(kit.path, 'alone')
    await kit.close()
  })

  it('says which argument cannot be used, and warns of an option that nobody knows', async (t) => {
    const invalid = { name: 'TypeError', code: 'HYCO_ERR_INVALID_ARGUMENT' }
    await assert.rejects(startRelayKit('afterAll'), { ...invalid, message: /^'after' must be/ })
    await assert.rejects(startRelayKit({}, { path: 'a' }), {
      ...invalid,
      message: /^'after' must be/,
    })
    await assert.rejects(startRelayKit(null, 'a'), { ...invalid, message: /^'options' must be/ })
    const warned = once(process, 'warning')
    await startRelayKit(t, { onConection: echo })
    assert.match((await warned)[0].message, /'onConection' of startRelayKit/)
  })

  it('starts nothing when the test framework refuses its hook', () => {
    const program = `
      const { startRelayKit } = require('hyco-rs/testing')
      const refuses = () => { throw new Error('no hooks here') }
      startRelayKit(refuses).catch((error) => console.log(error.message))`
    assert.equal(outputOf(program), 'no hooks here\n')
  })

  it('leaves its end to the hook at once, which waits for what is still starting', async () => {
    const ends = []
    const starting = startRelayKit((end) => ends.push(end))
    assert.equal(ends.length, 1)
    await ends[0]()
    assert.equal((await starting).server.status, 'closed')
  })

  it('says how when Jest takes no hooks any more, and starts nothing', () => {
    // What jest-circus does: it fails the test, and forgets the hook without an error.
    const program = `
      globalThis[Symbol('JEST_STATE_SYMBOL')] = { hasStarted: true }
      globalThis.afterEach = () => {}
      const { startRelayKit } = require('hyco-rs/testing')
      startRelayKit(afterEach).catch((error) => console.log(error.code, error.message))`
    assert.match(
      outputOf(program),
      /^HYCO_ERR_INVALID_ARGUMENT 'after' .*startRelayKit\(null.*kit\.close\(\)/,
    )
  })

  it('tells why a sender or a server cannot connect, and leaves nothing open', async (t) => {
    const contradiction = { server: { key: 'wrong', keyName: 'nobody' } }
    await assert.rejects(startRelayKit(t, contradiction), { code: 'HYCO_ERR_INVALID_OPTION' })
    const kit = await startRelayKit(t, {
      server: { verifyClient: (info, done) => done(false, 403, 'not you') },
    })
    await assert.rejects(kit.connect(), { statusCode: 403 })
  })

  it('works beside fake timers', async (t) => {
    mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'setImmediate', 'Date'] })
    t.after(() => mock.timers.reset())
    const kit = await startRelayKit(t, { onConnection: echo })
    const sender = await kit.connect({ handshakeTimeout: 0 })
    sender.send('hello')
    assert.equal(String((await once(sender, 'message'))[0]), 'said hello')
    await kit.close()
  })

  it('leaves nothing open that would keep a process alive', () => {
    const program = `
      require('hyco-rs/testing').startRelayKit().then(async (kit) => {
        await kit.pair()
        await kit.close()
        console.log(process.getActiveResourcesInfo().filter((name) => !/Pipe|TTY/.test(name)).join())
      })`
    assert.doesNotMatch(outputOf(program), /TCP|Timeout|Immediate/)
  })
})
