'use strict'

const assert = require('node:assert/strict')
const { subscribe, unsubscribe } = require('node:diagnostics_channel')
const { once } = require('node:events')
const { readFileSync } = require('node:fs')
const net = require('node:net')
const { join } = require('node:path')
const { text } = require('node:stream/consumers')
const { describe, it } = require('node:test')

const hyco = require('..')
const Scene = require('./support/scene')
const { until } = require('./support/watch')

const TIMEOUT = { timeout: 300_000 }

/** What the last column says where no loss tells when the next try comes. */
const ALONE = { online: '—', closing: 'never', closed: 'never' }

/** The rows of the table, each with the words of its columns. */
function rows() {
  const page = readFileSync(join(__dirname, '..', 'docs', 'lifecycle.md'), 'utf8')
  const [, section] = page.split(/^## .*$/m)
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
const failing = (options, refused) => async (scene) => {
  // The next try comes when the test is over.
  scene.listen(typeof options === 'function' ? await options(scene) : options, refused)
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
  scene.lose()
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
  scene.listen({ reconnect, signal: scene.controller.signal }, 1)
  await scene.reaches('offline')
  scene.forget()
}

/** A server whose try hangs. */
const hanging = async (scene) => {
  const { server, sockets } = await scene.silence()
  scene.listen({ server, signal: scene.controller.signal })
  await until(() => sockets.length === 1, 'the try')
}

/** A server with one socket open, and the sender at its other end. */
const connected = async (scene) => {
  await scene.online()
  const sender = scene.send()
  await once(sender, 'open')
  await until(() => scene.server.clients.size === 1, 'the socket')
  scene.forget()
  return sender
}

/** The same, when it drains. */
const draining = async (scene) => {
  const sender = await connected(scene)
  scene.drained = scene.server.drain()
  return sender
}

const ended = (scene) => until(() => scene.events.at(-1) === 'close', 'the end')

/** What each row of the table is, as a program. */
const SCENES = {
  'the relay opens the control channel': async (scene) => {
    scene.listen()
    await scene.reaches('online')
  },
  'the relay cannot be reached': failing({ server: 'ws://127.0.0.1:1/$hc/hyco' }),
  'the relay answers 401 or 403': failing(({ relay }) => ({
    token: hyco.createRelayToken(relay.sendUri(''), relay.emulator.keyName, 'wrong'),
  })),
  'the relay answers 500 or 503': failing({}, 1),
  'the relay answers that a quota is used up': failing(async (scene) => {
    const others = [scene.another(), scene.another()]
    await Promise.all(others.map((server) => once(server, 'listening')))
  }),
  'the relay does not answer within openTimeout': failing(async (scene) => {
    const { server } = await scene.silence()
    return { server, openTimeout: 100 }
  }),
  'the relay knows no such hybrid connection': failing(({ relay }) => ({
    server: relay.listenUri('unknown'),
  })),
  'the token function throws': failing({
    token: () => {
      throw new Error('vault is closed')
    },
  }),
  'the token function does not answer within openTimeout': failing({
    openTimeout: 100,
    token: () => new Promise(() => {}),
  }),
  'reconnect is false, and it fails': failing({ reconnect: false }, 1),
  'the function reconnect returns false': failing({ reconnect: () => false }, 1),
  'you set closeRequested, and the try succeeds': async (scene) => {
    scene.listen()
    scene.server.closeRequested = true
    await scene.reaches('online')
  },
  'you set closeRequested, and the try fails': async (scene) => {
    scene.listen({}, 1)
    scene.server.closeRequested = true
    await ended(scene)
  },
  'connecting: you call close()': ending(hanging, ({ server }) => server.close()),
  'connecting: you call drain()': ending(hanging, ({ server }) => server.drain()),
  'connecting: the signal is aborted': ending(hanging, ({ controller }) => controller.abort()),
  'a sender is accepted': async (scene) => {
    await scene.online()
    scene.send()
    await until(() => scene.events.includes('connection'), 'the connection')
  },
  'verifyClient refuses a sender': async (scene) => {
    await scene.online({ verifyClient: () => false })
    assert.equal(await scene.refusal(), 401)
  },
  'verifyClient does not decide in time': async (scene) => {
    // It bounds the refusal as well, which a busy machine must manage to make.
    await scene.online({ verifyClient: () => new Promise(() => {}), acceptTimeout: 2_000 })
    assert.equal(await scene.refusal(), 504)
    await until(() => scene.events.length > 0, 'the failure')
  },
  'a sender leaves before it is met': async (scene) => {
    let decide
    await scene.online({ verifyClient: (info, callback) => (decide = callback) })
    const sender = scene.send()
    await until(() => decide !== undefined, 'the question')
    sender.terminate()
    await until(() => scene.relay.emulator.pending().length === 0, 'the relay forgets it')
    decide(true)
    await until(() => scene.server.metrics().abandoned === 1, 'it is counted')
  },
  'its dial to a sender fails': async (scene) => {
    await scene.online()
    scene.fault({ kind: 'refuse', action: 'accept', status: 503 })
    scene.send()
    await until(() => scene.events.includes('acceptError'), 'the failure')
  },
  'an HTTP request arrives': async (scene) => {
    await scene.online()
    scene.server.on('request', (request, response) => response.end('hello'))
    const response = await scene.request()
    assert.equal(await text(response), 'hello')
  },
  'an HTTP request cannot be understood': async (scene) => {
    await scene.online()
    scene.server.on('request', (request, response) => response.end('hello'))
    // Not CONNECT for the relay, which tells capitals apart, but for the listener, which cannot relay it.
    const [[name, token]] = Object.entries(scene.senderHeaders)
    const sender = net.connect(scene.relay.emulator.address.port, '127.0.0.1')
    sender.write(
      `connect /hyco HTTP/1.1\r\nHost: a\r\n${name}: ${token}\r\nConnection: close\r\n\r\n`,
    )
    assert.match(await text(sender), /^HTTP\/1\.1 501 /)
    await until(() => scene.events.length > 0, 'the failure')
  },
  'the token is renewed': async (scene) => {
    let [asked, renewed] = [0, 0]
    const hear = ({ server }) => (renewed += server === scene.server)
    subscribe('hyco-rs:listener:renewed', hear)
    const token = () => scene.relay.token(asked++ === 0 ? 4 : 3600)
    await scene.online({ token })
    await until(() => renewed === 1, 'it')
    unsubscribe('hyco-rs:listener:renewed', hear)
  },
  'a renewal of the token fails': async (scene) => {
    let asked = 0
    const token = () => {
      if (asked++ > 0) throw new Error('vault is closed')
      return scene.relay.token(10)
    }
    await scene.online({ token })
    await until(() => scene.events.length > 0, 'the failure')
    scene.events.length = 1
  },
  'a token that cannot be renewed is about to end': async (scene) => {
    await scene.online({ token: scene.relay.token(4) })
    await until(() => scene.events.length > 0, 'the warning')
  },
  'the connection breaks': losing((scene) => scene.lose()),
  'nothing is heard for two keepAliveIntervals': losing(
    (scene) => scene.fault({ kind: 'blackHole', on: 'control', count: 1 }),
    { keepAliveInterval: 2_000 },
  ),
  'reconnect is false, and the channel is lost': lostForGood({ reconnect: false }),
  'the function reconnect returns false at a loss': lostForGood({ reconnect: () => false }),
  'the control channel is lost with a socket open': async (scene) => {
    await connected(scene)
    scene.lose()
    await until(() => scene.events.at(-1) === 'listening', 'the return')
    const [client] = scene.server.clients
    assert.equal(client.readyState, hyco.OPEN)
  },
  'the hybrid connection was deleted meanwhile': async (scene) => {
    await scene.online()
    scene.relay.emulator.deleteHybridConnection('hyco')
    await until(() => scene.events.filter((name) => name === 'error').length === 2, 'the answer')
  },
  'closeRequested is true, and the channel is lost': async (scene) => {
    await scene.online()
    scene.server.closeRequested = true
    scene.lose()
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
    await scene.online({ signal: scene.controller.signal })
    scene.controller.abort()
    await ended(scene)
  },
  'the next try succeeds': async (scene) => {
    scene.listen({ reconnect: { delays: [100], jitter: 0 } }, 1)
    // The next try may have begun when the test looks.
    await until(() => scene.events.includes('listening'), 'the next try')
    scene.events = scene.events.slice(scene.events.indexOf('error') + 1)
    scene.again = null
  },
  'the next try fails': async (scene) => {
    scene.listen({ reconnect: { delays: [0, 60_000], jitter: 0 } }, 2)
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
    const sender = await draining(scene)
    const [client] = scene.server.clients
    sender.send('still here')
    const [data] = await once(client, 'message')
    assert.equal(String(data), 'still here')
  },
  'you call drain() before verifyClient has decided': async (scene) => {
    await scene.online({ verifyClient: () => new Promise(() => {}) })
    const refusal = scene.refusal()
    await until(() => scene.server.metrics().pending === 1, 'the sender')
    assert.equal(await scene.server.drain(), true)
    assert.equal(await refusal, 503)
    await ended(scene)
  },
  'the last socket ends': async (scene) => {
    const sender = await draining(scene)
    sender.close(1000)
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
  const fault = { kind: 'close', on: 'control', code, reason: 'because', count: 1 }
  SCENES[what] = losing((scene) => scene.fault(fault))
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
        await scene.close()
      }
    })
  }
})
