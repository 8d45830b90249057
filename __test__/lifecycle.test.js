'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { after, afterEach, before, describe, it } = require('node:test')
const hyco = require('..')
const Program = require('./support/children')
const TestRelay = require('./support/relay')
const { until } = require('./support/watch')

const TIMES = 50
const TIMEOUT = { timeout: 900_000 }
const WELL = { code: 0, signal: null }

describe('a process', TIMEOUT, () => {
  let relay
  let uris
  const programs = []

  /** Starts a program that ends with the test. */
  const start = (name, env, options) => {
    const program = new Program(`lifecycle/${name}`, { env, ...options })
    programs.push(program)
    return program
  }

  /** Waits long enough for a process that would end by itself to have ended. */
  const stays = async (program) => {
    const outcome = await Promise.race([
      program.exited.then(() => 'exited'),
      new Promise((resolve) => setTimeout(resolve, 400, 'stays')),
    ])
    assert.equal(outcome, 'stays', program.output)
  }

  before(async () => {
    const names = Array.from({ length: 12 }, (_, i) => `c${i}`)
    relay = await TestRelay.start({ hybridConnections: ['hyco', 'deaf', ...names] })
    uris = (name) => ({
      LISTEN: relay.listenUri(name),
      SEND: relay.sendUri(name),
      TOKEN: relay.token(),
    })
  })

  afterEach(async () => {
    await Promise.all(programs.splice(0).map((program) => program.end()))
  })

  after(() => relay.close())

  it('stays while it listens, and ends by itself after close()', async () => {
    const listener = start('listen', { URI: relay.listenUri('hyco'), TOKEN: relay.token() })
    await listener.says('listening')
    await stays(listener)
    listener.tell('close')
    assert.deepEqual(await listener.exited, WELL)
    assert.equal(listener.output, 'listening\nclosing\nclosed\n')
  })

  it('stays while its control channel is lost', async () => {
    const other = await TestRelay.start({ hybridConnections: ['hyco'] })
    const listener = start('listen', { URI: other.listenUri('hyco'), TOKEN: other.token() })
    await listener.says('listening')
    await other.close()
    await stays(listener)
    listener.tell('close')
    assert.deepEqual(await listener.exited, WELL)
  })

  it('ends by itself when its server is unreferenced', async () => {
    const env = { URI: relay.listenUri('hyco'), TOKEN: relay.token(), UNREF: '1' }
    const listener = start('listen', env)
    assert.deepEqual(await listener.exited, WELL)
  })

  it('stays while its socket is open, and ends by itself after its close', async () => {
    const server = hyco.createRelayedServer({
      server: relay.listenUri('hyco'),
      token: relay.token(),
    })
    await once(server, 'listening')
    const accepted = once(server, 'connection')
    const sender = start('connect', { URI: relay.sendUri('hyco'), TOKEN: relay.token() })
    await sender.says('open')
    await stays(sender)
    const [socket] = await accepted
    socket.send('now')
    assert.deepEqual(await sender.exited, WELL)
    assert.equal(sender.output, 'connecting\nopen\nmessage now\nclose 1005\n')
    await new Promise((resolve) => server.close(resolve))
  })

  it('stays while its socket is connecting', async () => {
    let decide
    const server = hyco.createRelayedServer({
      server: relay.listenUri('deaf'),
      token: relay.token(),
      verifyClient: (info, callback) => {
        decide = callback
      },
    })
    await once(server, 'listening')
    const sender = start('connect', { URI: relay.sendUri('deaf'), TOKEN: relay.token() })
    await sender.says('connecting')
    await until(() => decide !== undefined, 'the question')
    await stays(sender)
    decide(false, 403, 'no')
    assert.deepEqual(await sender.exited, WELL)
    assert.match(sender.output, /close 1006\n$/)
    await new Promise((resolve) => server.close(resolve))
  })

  it('ends with code 1 when a listener throws', async () => {
    const server = hyco.createRelayedServer(
      { server: relay.listenUri('hyco'), token: relay.token() },
      (socket) => socket.send('now'),
    )
    await once(server, 'listening')
    const env = { URI: relay.sendUri('hyco'), TOKEN: relay.token(), THROW: '1' }
    const sender = start('connect', env)
    assert.deepEqual(await sender.exited, { code: 1, signal: null })
    assert.match(sender.output, /thrown by a listener/)
    await new Promise((resolve) => server.close(resolve))
  })

  it('stays while it runs a relay, and ends by itself after close()', async () => {
    const emulator = start('emulator')
    await emulator.says('started')
    await stays(emulator)
    emulator.tell('close')
    assert.deepEqual(await emulator.exited, WELL)
  })

  for (const how of ['now', 'soon']) {
    it(`survives process.exit() in the middle of traffic, ${how}, ${TIMES / 2} times`, async () => {
      let left = TIMES / 2
      const lane = async (number) => {
        while (left-- > 0) {
          const program = start('exit', { ...uris(`c${number}`), HOW: how })
          const ended = await program.exited
          assert.deepEqual(ended, WELL, program.output)
          assert.equal(program.output, '')
        }
      }
      await Promise.all([0, 1, 2].map(lane))
    })
  }

  for (const [how, secure] of [
    ['terminate', false],
    ['terminate', true],
    ['exit', false],
  ]) {
    const what = how === 'terminate' ? 'worker.terminate()' : 'process.exit() in a worker'
    const where = secure ? 'over TLS' : 'over TCP'
    it(`survives ${what} in the middle of traffic ${where}, ${TIMES} times`, async () => {
      const env = { COUNT: String(TIMES), HOW: how, TLS: secure ? '1' : '0' }
      const program = start('terminate', env)
      assert.deepEqual(await program.exited, WELL, program.output)
      assert.equal(program.output, `ended ${TIMES} workers\n`)
    })
  }

  it('may use the package in several environments at once', async () => {
    const program = start('environments')
    assert.deepEqual(await program.exited, WELL, program.output)
    assert.equal(program.output, 'exited with 0,0,0\n')
  })

  it('leaves nothing open that tools would name when servers and sockets are gone', async () => {
    const program = new Program('open-handles')
    programs.push(program)
    assert.deepEqual(await program.exited, WELL, program.output)
    assert.equal(program.output, 'while open: true\nleft open: []\n')
  })

  it('gives back the memory of sockets that have closed', async () => {
    const program = start('collect', {}, { flags: ['--expose-gc'] })
    assert.deepEqual(await program.exited, WELL, program.output)
  })
})
