'use strict'

const assert = require('node:assert/strict')
const { describe, it } = require('node:test')

const hyco = require('..')
const Silence = require('../lib/server/silence')
const Program = require('./support/children')
const { until } = require('./support/watch')

const TIMEOUT = { timeout: 60_000 }

/** Collects the warnings that servers emit while a function runs. */
async function warnings(run) {
  const collected = []
  const collect = (warning) => {
    if (warning.name === 'RelayedServerWarning') collected.push(warning)
  }
  process.on('warning', collect)
  try {
    await run(collected)
    await new Promise(setImmediate)
  } finally {
    process.removeListener('warning', collect)
  }
  return collected
}

/** A server that cannot reach its relay. */
function unreachable(options) {
  return new hyco.RelayedServer({
    server: 'ws://127.0.0.1:1/$hc/hyco',
    token: 'any',
    reconnect: { delays: [60], jitter: 0 },
    ...options,
  })
}

describe('a server that cannot listen, with nobody to hear of it', TIMEOUT, () => {
  it('warns once, with code, cause, what follows and what to check', async () => {
    const collected = await warnings(async (collected) => {
      const server = unreachable()
      const tries = []
      server.on('connecting', ({ attempt }) => tries.push(attempt))
      await until(() => tries.length >= 4, 'four tries')
      await until(() => collected.length > 0, 'the warning')
      await server.close()
    })
    assert.equal(collected.length, 1)
    const [{ code, message }] = collected
    assert.equal(code, 'HYCO_ERR_CONNECT')
    assert.match(message, /RelayedServer for 'hyco' cannot listen/)
    assert.match(message, /ECONNREFUSED/)
    assert.match(message, /tries again in 60 ms/)
    assert.match(message, /Nothing listens at that host and port/)
    assert.match(message, /'error' or 'offline' listener/)
  })

  it('warns of a token function that throws', async () => {
    const collected = await warnings(async (collected) => {
      const server = unreachable({
        token: () => {
          throw new Error('vault is closed')
        },
      })
      await until(() => collected.length > 0, 'the warning')
      await server.close()
    })
    assert.equal(collected[0].code, 'HYCO_ERR_TOKEN')
    assert.match(collected[0].message, /vault is closed/)
  })

  it('says nothing where a listener for either event is there', async () => {
    for (const event of ['error', 'offline']) {
      const collected = await warnings(async () => {
        const server = unreachable()
        const told = []
        server.on(event, () => told.push(event))
        await until(() => told.length >= 2, 'two failures')
        await server.close()
      })
      assert.deepEqual(collected, [])
    }
  })

  it('warns of a final loss at once, and the program does not end with 0', async () => {
    const program = new Program('silent-end')
    const { code } = await program.exited
    assert.equal(code, 1)
    assert.match(program.output, /RelayedServerWarning/)
    assert.match(program.output, /does not try again/)
  })
})

describe('a loss', TIMEOUT, () => {
  const error = Object.assign(new Error('lost'), { code: 'HYCO_ERR_CONNECTION_LOST' })
  const next = { delay: 1, final: false }

  /** Stands for a server without listeners. */
  const deaf = { path: 'hyco', status: 'offline', listenerCount: () => 0 }

  it('is told when it lasts, once, and again after the next return', async () => {
    const collected = await warnings(async (collected) => {
      const silence = new Silence(deaf, 30)
      silence.online()
      silence.offline(error, next)
      silence.offline(error, next)
      await until(() => collected.length === 1, 'the first warning')
      silence.offline(error, next)
      await new Promise((resolve) => setTimeout(resolve, 60))
      assert.equal(collected.length, 1)
      silence.online()
      silence.offline(error, next)
      await until(() => collected.length === 2, 'the second warning')
    })
    assert.match(collected[0].message, /is offline: lost\. It goes on trying\./)
  })

  it('is not told when the server comes back, or is closed, before that', async () => {
    const collected = await warnings(async () => {
      for (const end of ['online', 'stop']) {
        const silence = new Silence(deaf, 20)
        silence.online()
        silence.offline(error, next)
        silence[end]()
      }
      await new Promise((resolve) => setTimeout(resolve, 60))
    })
    assert.deepEqual(collected, [])
  })

  it('is awaited by a timer that does not keep the process', () => {
    // All in one turn, so that no other timer comes or goes.
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout')
    const before = timers().length
    const silence = new Silence(deaf)
    silence.online()
    silence.offline(error, next)
    const waiting = timers().length
    silence.stop()
    assert.equal(waiting, before)
  })
})
