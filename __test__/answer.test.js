'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { describe, it } = require('node:test')

const hyco = require('..')
const anonymousRelay = require('./support/anonymous')
const ScriptedRelay = require('./support/scripted-relay')

const TIMEOUT = { timeout: 300_000 }

const { answer, connect, serving } = anonymousRelay()

describe("the 'headers' event", TIMEOUT, () => {
  it('shows the lines of the answer and the request', async () => {
    await serving({}, async (server) => {
      const [[lines, request]] = await Promise.all([once(server, 'headers'), answer('hyco', ['a'])])
      assert.deepEqual(lines, [
        'HTTP/1.1 101 Switching Protocols',
        'Upgrade: websocket',
        'Connection: Upgrade',
        'Sec-WebSocket-Protocol: a',
      ])
      assert.equal(request.url, '/hyco')
    })
  })

  it('can change the subprotocol, add one and take it away', async () => {
    await serving({}, async (server) => {
      server.once('headers', (lines) => {
        lines[3] = 'sec-websocket-protocol: b'
      })
      const first = once(server, 'connection')
      assert.deepEqual(await answer('hyco', ['a', 'b']), { status: 101, protocol: 'b' })
      // The sender may be open before its listener knows.
      await first
      server.once('headers', (lines) => lines.pop())
      const sender = connect('hyco', ['a'])
      const [socket] = await once(server, 'connection')
      assert.equal(socket.protocol, '')
      sender.terminate()
    })
    await serving({ handleProtocols: () => false }, async (server) => {
      server.once('headers', (lines) => lines.push('Sec-WebSocket-Protocol: b', 'X-Other: c'))
      assert.deepEqual(await answer('hyco', ['a', 'b']), { status: 101, protocol: 'b' })
    })
  })

  it('adds headers to the handshake of the accept', async () => {
    const scripted = await ScriptedRelay.start()
    const server = new hyco.RelayedServer({ server: scripted.listenUri, token: 'any' })
    server.on('headers', (lines) => {
      lines.push('X-Room: blue', 'Set-Cookie: a=b', 'Set-Cookie:c=d')
      lines.splice(0, 1)
    })
    await once(server, 'listening')
    const { request, socket } = await scripted.announce({ 'Sec-WebSocket-Protocol': 'chat' })
    assert.equal(request.headers['x-room'], 'blue')
    assert.deepEqual(request.headers['set-cookie'], ['a=b', 'c=d'])
    assert.equal(request.headers['sec-websocket-protocol'], 'chat')
    assert.equal(request.headers.upgrade, 'websocket')
    socket.terminate()
    await server.close()
    await scripted.close()
  })

  it('that leaves a line which cannot be sent refuses the sender, and names the header', async () => {
    const lines = {
      'sb-hc-id: x': /'sb-hc-id'/,
      'SB-HC-Statuscode: 200': /'SB-HC-Statuscode'/,
      'Transfer-Encoding: chunked': /'Transfer-Encoding'/,
      'Connection: close': /'Connection'/,
      'Proxy-Authorization: x': /'Proxy-Authorization'/,
      'Host: elsewhere': /'Host'/,
      'Sec-WebSocket-Extensions: x': /'Sec-WebSocket-Extensions'/,
      'X-Split: a\r\nsb-hc-id: x': /X-Split/,
      'bad name: x': /bad name/,
      'no colon': /'Name: value'/,
    }
    await serving({}, async (server) => {
      for (const [line, message] of [
        ...Object.entries(lines),
        [undefined, /'Name: value'/],
        [Symbol('line'), /'Name: value'/],
        [Object.create(null), /'Name: value'/],
      ]) {
        server.once('headers', (shown) => shown.push(line))
        const reported = once(server, 'acceptError')
        assert.equal((await answer()).status, 502)
        const [error] = await reported
        assert.equal(error.code, 'HYCO_ERR_INVALID_HEADER')
        assert.match(error.message, message)
      }
      assert.deepEqual(await answer(), { status: 101, protocol: '' })
    })
  })
})

describe('a sender', TIMEOUT, () => {
  it('is answered also if the reason of a refusal is no text', async () => {
    for (const reason of [Object.create(null), Symbol('reason'), {}, () => 'no', [], null, '']) {
      const verifyClient = (info, decide) => decide(false, 403, reason)
      await serving({ verifyClient }, async (server) => {
        assert.deepEqual(await answer(), { status: 403, reason: 'Forbidden' })
        assert.equal(server.metrics().pending, 0)
      })
    }
  })

  it('is answered also if the answer of a handler throws when it is looked at', async () => {
    const broken = new Proxy(
      {},
      {
        get() {
          throw new Error('do not touch')
        },
      },
    )
    for (const options of [{ verifyClient: () => broken }, { handleProtocols: () => broken }]) {
      await serving(options, async (server) => {
        const thrown = new Promise((resolve) => {
          process.setUncaughtExceptionCaptureCallback(resolve)
        })
        try {
          assert.equal((await answer('hyco', ['a'])).status, 502)
          assert.equal((await thrown).message, 'do not touch')
        } finally {
          process.setUncaughtExceptionCaptureCallback(null)
        }
        assert.equal(server.metrics().pending, 0)
      })
    }
  })

  // It bounds the refusal as well, which a busy machine must manage to make.
  it('is refused if verifyClient does not decide within acceptTimeout', async () => {
    const never = [(info, decide) => {}, () => new Promise(() => {})]
    for (const verifyClient of never) {
      await serving({ verifyClient, acceptTimeout: 2_000 }, async (server) => {
        const reported = once(server, 'acceptError')
        assert.deepEqual(await answer(), {
          status: 504,
          reason: 'The listener did not decide in time',
        })
        const [error] = await reported
        assert.equal(error.code, 'HYCO_ERR_HANDLER')
        assert.match(error.message, /verifyClient did not decide within 2000 ms/)
      })
    }
  })

  it('that nobody has decided about is refused with 503 when the server closes', async () => {
    let decide
    const verifyClient = (info, callback) => {
      decide = callback
    }
    await serving({ verifyClient }, async (server) => {
      const answered = answer()
      while (server.metrics().pending === 0) await new Promise(setImmediate)
      const closing = server.close()
      assert.deepEqual(await answered, { status: 503, reason: 'The listener is closing' })
      decide(true)
      await closing
      assert.deepEqual(
        [server.metrics().pending, server.metrics().rejected, server.metrics().accepted],
        [0, 1, 0],
      )
    })
  })
})
