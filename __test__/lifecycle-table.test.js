'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { readFileSync } = require('node:fs')
const { join } = require('node:path')
const { describe, it } = require('node:test')

const hyco = require('..')
const Scene = require('./support/scene')
const { until } = require('./support/watch')

const TIMEOUT = { timeout: 300_000 }

/** What the last column says where no loss tells when the next try comes. */
const ALONE = { online: '—', closing: 'never', closed: 'never' }

/** The rows of the table, each with the words of its columns. */
function rows() {
  const text = readFileSync(join(__dirname, '..', 'docs', 'lifecycle.md'), 'utf8')
  const [, section] = text.split(/^## .*$/m)
  const lines = section.split('\n').filter((line) => line.startsWith('| '))
  return lines.slice(2).map((line) => {
    const [state, what, events, next, again] = line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim())
    return { state, what, events: events === '—' ? [] : events.split(', '), next, again }
  })
}

/** Fails the first try, and stops there. */
const failing = (options, answers) => async (scene) => {
  // The next try comes when the test is over.
  scene.listen(options, answers)
  await until(() => scene.events.includes('error'), 'the failure')
  scene.events = scene.events.slice(0, scene.events.indexOf('error') + 1)
}

/** Loses the control channel, and waits for the return. */
const losing = (lose, options) => async (scene) => {
  await scene.online(options)
  await lose(scene)
  await until(() => scene.events.at(-1) === 'listening', 'the return')
}

/** Loses the control channel, and waits until the server has said all that it says about that. */
const lostForGood = (options) => async (scene) => {
  await scene.online(options)
  scene.relay.channel.terminate()
  await until(() => scene.events.at(-1) === 'error', 'the loss')
}

/** Brings a server into a state, and ends it from there. */
const ending = (reach, end) => async (scene) => {
  await reach(scene)
  await end(scene)
  await ended(scene)
}

/** A server that waits for its next try, or has no other. */
const offline = (reconnect) => async (scene) => {
  scene.listen({ reconnect, signal: scene.controller.signal }, [[503, 'Busy']])
  await scene.reaches('offline')
  scene.forget()
}

/** A server whose try hangs. */
const hanging = (scene) => {
  scene.listen({ signal: scene.controller.signal }, ['silence'])
  return until(() => scene.relay.listened.length === 1, 'the try')
}

/** A server that drains, with one socket open. */
const draining = async (scene) => {
  await scene.online()
  const { socket } = await scene.relay.announce()
  await until(() => scene.server.clients.size === 1, 'the socket')
  scene.forget()
  scene.drained = scene.server.drain()
  return socket
}

const BUSY = [503, 'Busy']
const DELETED = [404, 'Endpoint does not exist. TrackingId:0e1a8f5e-0000-4000-8000-000000000000_G1']

/** A token that ends in so many seconds. */
function tokenFor(seconds) {
  const end = Math.floor(Date.now() / 1000) + seconds
  return `SharedAccessSignature sr=x&sig=x&se=${end}&skn=x`
}

const ended = (scene) => until(() => scene.events.at(-1) === 'close', 'the end')

/** What each row of the table is, as a program. */
const SCENES = {
  'the relay opens the control channel': async (scene) => {
    scene.listen()
    await scene.reaches('online')
  },
  'the relay cannot be reached': failing({ server: 'ws://127.0.0.1:1/$hc/hyco' }),
  'the relay answers 401 or 403': failing({}, [[401, 'InvalidSignature: no']]),
  'the relay answers 500 or 503': failing({}, [BUSY]),
  'the relay answers that a quota is used up': failing({}, [
    [403, 'QuotaExceeded: 25 listeners. TrackingId:0e1a8f5e-0000-4000-8000-000000000000_G1'],
  ]),
  'the relay does not answer within openTimeout': failing({ openTimeout: 100 }, ['silence']),
  'the relay knows no such hybrid connection': failing({}, [DELETED]),
  'the token function throws': failing({
    token: () => {
      throw new Error('vault is closed')
    },
  }),
  'the token function does not answer within openTimeout': failing({
    openTimeout: 100,
    token: () => new Promise(() => {}),
  }),
  'reconnect is false, and it fails': failing({ reconnect: false }, [BUSY]),
  'the function reconnect returns false': failing({ reconnect: () => false }, [BUSY]),
  'you set closeRequested, and the try succeeds': async (scene) => {
    scene.listen()
    scene.server.closeRequested = true
    await scene.reaches('online')
  },
  'you set closeRequested, and the try fails': async (scene) => {
    scene.listen({}, [BUSY])
    scene.server.closeRequested = true
    await ended(scene)
  },
  'connecting: you call close()': ending(hanging, ({ server }) => server.close()),
  'connecting: you call drain()': ending(hanging, ({ server }) => server.drain()),
  'connecting: the signal is aborted': ending(hanging, ({ controller }) => controller.abort()),
  'a sender is accepted': async (scene) => {
    await scene.online()
    const { socket } = await scene.relay.announce()
    await until(() => scene.events.includes('connection'), 'the connection')
    socket.terminate()
  },
  'verifyClient refuses a sender': async (scene) => {
    await scene.online({ verifyClient: () => false })
    const { url } = await scene.relay.announce()
    assert.equal(url.searchParams.get('sb-hc-statusCode'), '401')
  },
  'verifyClient does not decide in time': async (scene) => {
    // It bounds the refusal as well, which a busy machine must manage to make.
    await scene.online({ verifyClient: () => new Promise(() => {}), acceptTimeout: 2_000 })
    const { url } = await scene.relay.announce()
    assert.equal(url.searchParams.get('sb-hc-statusCode'), '504')
  },
  'a sender leaves before it is met': async (scene) => {
    await scene.online()
    scene.relay.refusesAccepts = [404, 'Gone']
    await scene.relay.announce()
    await until(() => scene.server.metrics().abandoned === 1, 'it is counted')
  },
  'its dial to a sender fails': async (scene) => {
    await scene.online()
    scene.relay.refusesAccepts = BUSY
    await scene.relay.announce()
    await until(() => scene.events.includes('acceptError'), 'the failure')
  },
  'an HTTP request arrives': async (scene) => {
    await scene.online()
    scene.server.on('request', (request, response) => response.end('hello'))
    scene.relay.request({ method: 'GET', requestTarget: '/hyco', requestHeaders: {}, body: false })
    await until(() => scene.relay.said.length === 2, 'the response and its body')
  },
  'an HTTP request cannot be understood': async (scene) => {
    await scene.online()
    scene.relay.request({ method: 'GET', requestTarget: 5, requestHeaders: {}, body: false })
    await until(() => scene.events.length > 0, 'the failure')
  },
  'the token is renewed': async (scene) => {
    let asked = 0
    await scene.online({ token: () => tokenFor(asked++ === 0 ? 3 : 3600) })
    await until(() => scene.relay.said.some((text) => 'renewToken' in JSON.parse(text)), 'it')
  },
  'a renewal of the token fails': async (scene) => {
    let asked = 0
    const token = () => {
      if (asked++ > 0) throw new Error('vault is closed')
      return tokenFor(6)
    }
    await scene.online({ token })
    await until(() => scene.events.length > 0, 'the failure')
    scene.events.length = 1
  },
  'a token that cannot be renewed is about to end': async (scene) => {
    await scene.online({ token: tokenFor(3) })
    await until(() => scene.events.length > 0, 'the warning')
  },
  'the connection breaks': losing(({ relay }) => relay.channel.terminate()),
  'nothing is heard for two keepAliveIntervals': losing(({ relay }) => relay.channel.pause(), {
    keepAliveInterval: 2_000,
  }),
  'reconnect is false, and the channel is lost': lostForGood({ reconnect: false }),
  'the function reconnect returns false at a loss': lostForGood({ reconnect: () => false }),
  'the control channel is lost with a socket open': async (scene) => {
    await scene.online()
    const { socket } = await scene.relay.announce()
    await until(() => scene.server.clients.size === 1, 'the socket')
    scene.forget()
    scene.relay.channel.terminate()
    await until(() => scene.events.at(-1) === 'listening', 'the return')
    const [client] = scene.server.clients
    assert.equal(client.readyState, hyco.OPEN)
    socket.terminate()
  },
  'the hybrid connection was deleted meanwhile': async (scene) => {
    await scene.online()
    scene.relay.answers = [DELETED]
    scene.relay.channel.terminate()
    await until(() => scene.events.filter((name) => name === 'error').length === 2, 'the answer')
  },
  'closeRequested is true, and the channel is lost': async (scene) => {
    await scene.online()
    scene.server.closeRequested = true
    scene.relay.channel.terminate()
    await ended(scene)
  },
  'online: you call close()': async (scene) => {
    await scene.online()
    scene.server.close()
    await ended(scene)
  },
  'you call drain(), and no socket is open': async (scene) => {
    await scene.online()
    assert.equal(await scene.server.drain(), true)
    await ended(scene)
  },
  'online: the signal is aborted': async (scene) => {
    const controller = new AbortController()
    await scene.online({ signal: controller.signal })
    controller.abort()
    await ended(scene)
  },
  'the next try succeeds': async (scene) => {
    scene.listen({ reconnect: { delays: [100], jitter: 0 } }, [BUSY])
    // The next try may have begun when the test looks.
    await until(() => scene.events.includes('listening'), 'the next try')
    scene.events = scene.events.slice(scene.events.indexOf('error') + 1)
    scene.again = null
  },
  'the next try fails': async (scene) => {
    scene.listen({ reconnect: { delays: [0, 60_000], jitter: 0 } }, [BUSY, BUSY])
    const failures = () => scene.events.filter((name) => name === 'error').length
    await until(() => failures() === 2, 'the second failure')
    scene.events = scene.events.slice(scene.events.indexOf('error') + 1)
    scene.again = scene.agains[1]
  },
  'you set closeRequested': ending(offline({ delays: [60_000] }), ({ server }) => {
    server.closeRequested = true
  }),
  'offline: you call close()': ending(offline({ delays: [60_000] }), ({ server }) =>
    server.close(),
  ),
  'offline: you call drain()': ending(offline({ delays: [60_000] }), ({ server }) =>
    server.drain(),
  ),
  'offline: the signal is aborted': ending(offline({ delays: [60_000] }), ({ controller }) =>
    controller.abort(),
  ),
  'it has no other try, and you call close()': ending(offline(false), ({ server }) =>
    server.close(),
  ),
  'you call drain() with a socket open': async (scene) => {
    const socket = await draining(scene)
    const [client] = scene.server.clients
    socket.send('still here')
    const [data] = await once(client, 'message')
    assert.equal(String(data), 'still here')
  },
  'you call drain() before verifyClient has decided': async (scene) => {
    await scene.online({ verifyClient: () => new Promise(() => {}) })
    const met = scene.relay.announce()
    await until(() => scene.server.metrics().pending === 1, 'the sender')
    assert.equal(await scene.server.drain(), true)
    const { url } = await met
    assert.equal(url.searchParams.get('sb-hc-statusCode'), '503')
    await ended(scene)
  },
  'the last socket ends': async (scene) => {
    const socket = await draining(scene)
    socket.close(1000)
    assert.equal(await scene.drained, true)
    await ended(scene)
  },
  'closing: you call close()': async (scene) => {
    await draining(scene)
    await scene.server.close()
    assert.equal(await scene.drained, false)
    await ended(scene)
  },
  'you call close() again': async (scene) => {
    await scene.online()
    await scene.server.close()
    await ended(scene)
    scene.forget()
    await scene.server.close()
  },
  'you call drain() after that': async (scene) => {
    await scene.online()
    await scene.server.close()
    await ended(scene)
    scene.forget()
    assert.equal(await scene.server.drain(), true)
  },
}

for (const code of [1000, 1001, 1008, 1011, 4000]) {
  const what = `the relay closes the control channel with ${code}`
  SCENES[what] = losing(({ relay }) => relay.channel.close(code, 'because'))
}

describe('the table of docs/lifecycle.md', TIMEOUT, () => {
  const all = rows()

  it('has a row for each scene, and a scene for each row', () => {
    const names = all.map(({ state, what }) => (what in SCENES ? what : `${state}: ${what}`))
    assert.deepEqual(names.sort(), Object.keys(SCENES).sort())
  })

  for (const { state, what, events, next, again } of all) {
    it(`${state}: ${what}`, async () => {
      const scene = await Scene.start()
      try {
        await (SCENES[what] ?? SCENES[`${state}: ${what}`])(scene)
        // A server that has just started says that it is connecting; that is where the row begins.
        const starts = state === 'connecting' && scene.events[0] === 'connecting'
        assert.deepEqual(starts ? scene.events.slice(1) : scene.events, events)
        // By then the next try may be under way.
        const { status } = scene.server
        if (again === 'at once' && next === 'offline') {
          assert.ok(['connecting', 'offline', 'online'].includes(status), status)
        } else {
          assert.equal(status, next)
        }
        if (scene.again === null) assert.equal(again, ALONE[next])
        else assert.equal(scene.again, again)
      } finally {
        await scene.server.close()
        await scene.relay.close()
      }
    })
  }
})
