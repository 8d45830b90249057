'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const net = require('node:net')
const { closed, failed, message, messages, until } = require('../support/watch')

const CLIENT = { role: 'client' }
const SERVER = { role: 'server' }

/** Starts a server for one row and ends it afterwards. */
async function serve(pair, later, options) {
  const served = await pair.serve(options)
  later.push(() => served.close())
  return served
}

/** The answer of a server that refuses, with its body. */
function refusal(client) {
  client.on('error', () => {})
  return new Promise((resolve) => {
    client.on('unexpected-response', async (request, response) => {
      const chunks = []
      for await (const chunk of response) chunks.push(chunk)
      resolve({ status: response.statusCode, body: Buffer.concat(chunks).toString() })
      request.destroy()
    })
  })
}

/**
 * What `ws` does and a relay, or a socket that is not made of one of Node's, cannot. Those pairs skip
 * the rows, with the reasons of `support/differences.js`; all other pairs prove them.
 */
module.exports = (row) => {
  row('agrees on permessage-deflate where both ends want it', async (pair) => {
    const perMessageDeflate = { threshold: 0 }
    const { subject, peer } = await pair.open({
      subject: { perMessageDeflate },
      peer: { perMessageDeflate },
    })
    assert.equal(subject.extensions, 'permessage-deflate')
    assert.equal(peer.extensions, 'permessage-deflate')
  })

  row('has a socket of Node in _socket', async (pair) => {
    const { subject } = await pair.open()
    assert.ok(subject._socket instanceof net.Socket)
  })

  row('emits upgrade with the response of the server, before open', CLIENT, async (pair) => {
    const events = []
    await pair.open({
      onSubject: (socket) => {
        socket.on('upgrade', (response) => events.push(response.statusCode))
        socket.on('open', () => events.push('open'))
      },
    })
    assert.deepEqual(events, [101, 'open'])
  })

  row('leaves a refusal to a listener of unexpected-response', CLIENT, async (pair) => {
    const lines = ['HTTP/1.1 403 Forbidden', 'Content-Length: 0', 'Connection: close']
    let status
    await pair.raw({
      lines,
      onSubject: (socket) => {
        socket.on('error', () => {})
        socket.on('unexpected-response', (request, response) => {
          status = response.statusCode
          request.destroy()
        })
      },
    })
    await until(() => status !== undefined, 'the response')
    assert.equal(status, 403)
  })

  row('follows a redirect with followRedirects', CLIENT, async (pair) => {
    const { origin } = await pair.server()
    const lines = [
      'HTTP/1.1 302 Found',
      `Location: ${origin}/?pair=redirected`,
      'Content-Length: 0',
    ]
    const server = await pair.server()
    const accepted = server.doors.wait('redirected')
    const { subject } = await pair.raw({ lines, subject: { followRedirects: true } })
    const [{ socket }] = await Promise.all([accepted, once(subject, 'open')])
    pair.keep(socket)
    assert.equal(subject.url, `${origin}/?pair=redirected`)
  })

  row('masks with generateMask', CLIENT, async (pair) => {
    const masks = []
    const generateMask = (mask) => {
      masks.push(mask.length)
      mask.fill(1)
    }
    const { subject, peer } = await pair.raw({ subject: { generateMask } })
    subject.send('masked')
    assert.equal((await peer.next()).payload.toString(), 'masked')
    assert.deepEqual(masks, [4])
  })

  row('reports a refused connection with the code of Node', CLIENT, async (pair) => {
    const { error } = await failed(pair.keep(pair.connect(`${pair.scheme}://127.0.0.1:1/`)))
    assert.equal(error.code, 'ECONNREFUSED')
  })

  row('calls a refusal an unexpected server response', CLIENT, async (pair) => {
    let failure
    await pair.raw({
      lines: ['HTTP/1.1 401 Unauthorized', 'Content-Length: 0', 'Connection: close'],
      onSubject: (socket) => {
        failure = failed(socket)
      },
    })
    const { message } = (await failure).error
    assert.match(message, /^Unexpected server response: 401\b/)
  })

  row('emits no open when it was accepted', SERVER, async (pair) => {
    let opened = false
    const { subject, peer } = await pair.open({
      onSubject: (socket) =>
        socket.on('open', () => {
          opened = true
        }),
    })
    const received = message(subject)
    peer.send('x')
    await received
    assert.equal(opened, false)
  })

  row('has no url when it was accepted', SERVER, async (pair) => {
    const { subject } = await pair.open()
    assert.equal(subject.url, undefined)
  })

  row('sends unmasked frames when it was accepted', SERVER, async (pair) => {
    const { subject, peer } = await pair.raw()
    subject.send('x')
    assert.equal((await peer.next()).masked, false)
  })

  row('sees the pings of its peer', SERVER, async (pair) => {
    const { subject, peer } = await pair.open()
    const pinged = new Promise((resolve) => subject.once('ping', resolve))
    const received = messages(subject, 1)
    peer.ping('from the peer')
    peer.send('after it')
    await received
    assert.equal(String(await Promise.race([pinged, 'not seen'])), 'from the peer')
  })

  row('leaves its clients alone when it is closed', SERVER, async (pair) => {
    const served = await pair.serve({})
    const accepted = once(served.server, 'connection')
    const client = served.connect()
    const [[socket]] = await Promise.all([accepted, once(client, 'open')])
    served.server.close()
    const received = message(client)
    socket.send('still here')
    assert.equal(String((await received).data), 'still here')
    const end = closed(client)
    socket.close()
    await end
    await served.close()
  })

  row('gives an error to the callback of close() once it is closed', SERVER, async (pair) => {
    const served = await pair.serve({})
    await new Promise((resolve) => served.server.close(resolve))
    const error = await new Promise((resolve) => served.server.close(resolve))
    assert.equal(error.message, 'The server is not running')
    await served.close()
  })

  row('answers a refused client with the message as the body', SERVER, async (pair, later) => {
    const served = await serve(pair, later, {
      verifyClient: (info, callback) => callback(false, 403, 'Go away'),
    })
    assert.deepEqual(await refusal(served.connect()), { status: 403, body: 'Go away' })
  })

  row('sends the headers that a headers listener adds', SERVER, async (pair, later) => {
    const served = await serve(pair, later, {})
    served.server.on('headers', (lines) => lines.push('Set-Cookie: a=b'))
    const [response] = await once(served.connect(), 'upgrade')
    assert.deepEqual(response.headers['set-cookie'], ['a=b'])
  })

  row('does not ask handleProtocols where nothing was offered', SERVER, async (pair, later) => {
    let asked = 0
    const served = await serve(pair, later, {
      handleProtocols: () => {
        asked++
        return false
      },
    })
    await once(served.connect(), 'open')
    assert.equal(asked, 0)
  })

  row('has its clients in a Set', SERVER, async (pair, later) => {
    const { server } = await serve(pair, later, {})
    assert.ok(server.clients instanceof Set)
  })

  row('has no clients property with clientTracking: false', SERVER, async (pair, later) => {
    const { server } = await serve(pair, later, { clientTracking: false })
    assert.equal(server.clients, undefined)
  })

  row('takes upgrade requests of an HTTP server by handleUpgrade', SERVER, async (pair, later) => {
    const { server } = await serve(pair, later, {})
    assert.equal(typeof server.handleUpgrade, 'function')
    assert.equal(server.shouldHandle({ url: '/' }), true)
  })
}
