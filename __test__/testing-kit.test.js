'use strict'

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const { once } = require('node:events')
const { describe, it, mock } = require('node:test')
const { startRelayKit } = require('hyco-rs/testing')

const TIMEOUT = { timeout: 300_000 }

const echo = (socket) => socket.on('message', (data) => socket.send(`said ${data}`))

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
    await assert.rejects(startRelayKit('afterAll'), TypeError)
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
    const options = { cwd: __dirname, encoding: 'utf8', timeout: 60_000 }
    const { stdout, stderr, status } = spawnSync(process.execPath, ['-e', program], options)
    assert.equal(status, 0, stderr)
    assert.doesNotMatch(stdout, /TCP|Timeout|Immediate/)
  })
})
