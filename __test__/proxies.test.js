'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const http = require('node:http')
const https = require('node:https')
const net = require('node:net')
const { buffer } = require('node:stream/consumers')
const { after, before, describe, it } = require('node:test')

const hyco = require('..')
const certificate = require('./support/certificate')
const proxies = require('./support/proxies')
const TestRelay = require('./support/relay')
const { failed, message } = require('./support/watch')

const TIMEOUT = { timeout: 300_000 }
const PASSWORD = 'p@ss:word'
const VARIABLES = ['HTTPS_PROXY', 'ALL_PROXY', 'NO_PROXY']

const { ProxyChain, SimpleSocks } = proxies()

/** Starts a proxy of each kind; `tunnels` counts the connections that went through. */
async function start() {
  let tunnels = 0
  const http = new ProxyChain.Server({
    port: 0,
    prepareRequestFunction: ({ username, password }) => {
      const isKnown = username === 'me' && password === PASSWORD
      if (isKnown) tunnels++
      return { requestAuthentication: !isKnown }
    },
  })
  await http.listen()
  const socks = SimpleSocks.createServer({
    authenticate: (user, password, _socket, callback) => {
      const isKnown = user === 'me' && password === PASSWORD
      if (isKnown) tunnels++
      setImmediate(callback, isKnown ? null : new Error('unknown'))
    },
  })
  const open = SimpleSocks.createServer()
  // HTTP CONNECT over TLS: what comes is handed to the one in the clear.
  const secure = https.createServer({ cert: certificate.cert, key: certificate.key })
  secure.on('connect', (request, socket) => {
    const plain = net.connect(http.port, '127.0.0.1')
    const lines = Object.entries(request.headers).map(([name, value]) => `${name}: ${value}`)
    plain.write(`CONNECT ${request.url} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
    for (const [from, to] of [
      [plain, socket],
      [socket, plain],
    ]) {
      from.on('error', () => to.destroy()).pipe(to)
    }
  })
  for (const server of [socks, open, secure]) {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  }
  const user = `me:${encodeURIComponent(PASSWORD)}@`
  return {
    count: () => tunnels,
    urls: {
      http: `http://${user}127.0.0.1:${http.port}`,
      https: `https://${user}localhost:${secure.address().port}`,
      socks: `socks5://${user}127.0.0.1:${socks.address().port}`,
      open: `socks5://127.0.0.1:${open.address().port}`,
    },
    close: async () => {
      await http.close(true)
      for (const server of [socks, open, secure]) {
        server.close()
        server.closeAllConnections?.()
      }
    },
  }
}

let proxy
const saved = {}

before(async () => {
  proxy = await start()
  for (const name of VARIABLES.flatMap((name) => [name, name.toLowerCase()])) {
    saved[name] = process.env[name]
    delete process.env[name]
  }
})

after(async () => {
  for (const [name, value] of Object.entries(saved)) {
    if (value !== undefined) process.env[name] = value
  }
  await proxy.close()
})

for (const secure of [false, true]) {
  describe(`a proxy on the way to a relay ${secure ? 'over TLS' : 'in the clear'}`, TIMEOUT, () => {
    let relay

    before(async () => {
      relay = await TestRelay.start({
        hybridConnections: ['hyco'],
        ...(secure && { tls: { cert: certificate.cert, key: certificate.key } }),
      })
    })

    after(() => relay.close())

    const tls = { ca: certificate.ca }

    /** A listener that echoes, and a sender that hears it, both with these options. */
    async function echo(options) {
      const token = relay.token()
      const listening = { server: relay.listenUri('hyco'), token, tls, ...options }
      const server = hyco.createRelayedServer(listening, (socket) => {
        socket.on('message', (data) => socket.send(data))
      })
      await once(server, 'listening')
      const sender = hyco.relayedConnect(relay.sendUri('hyco'), token, { tls, ...options })
      await once(sender, 'open')
      const payload = Buffer.alloc(300_000, 7)
      sender.send(payload)
      assert.ok(payload.equals((await message(sender)).data))
      sender.close()
      await once(sender, 'close')
      await server.close()
    }

    for (const kind of ['http', 'https', 'socks']) {
      it(`of the kind ${kind} carries control channel, rendezvous and sender`, async () => {
        const before = proxy.count()
        await echo({ proxy: proxy.urls[kind] })
        assert.equal(proxy.count() - before, 3)
      })
    }

    it('carries HTTP requests: the control channel and every rendezvous (C41, C44)', async () => {
      const before = proxy.count()
      const server = new hyco.RelayedServer({
        server: relay.listenUri('hyco'),
        token: relay.token(),
        tls,
        proxy: proxy.urls.http,
        // A busy machine may take longer for the small answer, which would then get a rendezvous, too.
        responseFlushDelay: 60_000,
        fetch: async (request) => new Response(await request.arrayBuffer()),
      })
      await once(server, 'listening')
      const scheme = secure ? https : http
      const url = relay.namespace.replace(/^ws/, 'http')
      // A small body goes by the control channel both ways, a large one by one rendezvous.
      for (const length of [10, 300_000]) {
        const request = scheme.request(`${url}/hyco`, {
          method: 'POST',
          agent: false,
          ca: certificate.ca,
          headers: { ServiceBusAuthorization: relay.token() },
        })
        request.end(Buffer.alloc(length, 7))
        const [response] = await once(request, 'response')
        assert.equal((await buffer(response)).length, length)
      }
      assert.equal(proxy.count() - before, 2)
      await server.close()
    })

    it('may want no password', () => echo({ proxy: proxy.urls.open }))

    it('may come from the environment, except for NO_PROXY', async () => {
      const name = secure ? 'HTTPS_PROXY' : 'all_proxy'
      process.env[name] = proxy.urls.http
      try {
        let before = proxy.count()
        await echo({})
        assert.equal(proxy.count() - before, 3)
        before = proxy.count()
        await echo({ proxy: false })
        process.env.NO_PROXY = 'localhost,127.0.0.1'
        await echo({})
        assert.equal(proxy.count() - before, 0)
      } finally {
        delete process.env[name]
        delete process.env.NO_PROXY
      }
    })

    it('that refuses the password is named with its status', async () => {
      for (const [kind, status] of [
        ['http', /407/],
        ['socks', /refused the connection/],
      ]) {
        const url = new URL(proxy.urls[kind])
        url.password = 'wrong-word'
        const options = { proxy: url, tls }
        const { error } = await failed(hyco.relayedConnect(relay.sendUri('hyco'), null, options))
        assert.equal(error.code, 'HYCO_ERR_PROXY', error.message)
        assert.match(error.message, status)
        assert.ok(error.message.includes(url.host), error.message)
        assert.ok(!error.message.includes('wrong-word'), error.message)
      }
    })
  })
}

it('a server tells that its proxy is dead, and does not show the password', TIMEOUT, async () => {
  const url = 'http://me:wrong-word@127.0.0.1:1'
  const options = { server: 'ws://localhost:2/$hc/hyco', token: 'x', proxy: url }
  const server = hyco.createRelayedServer(options)
  server.on('error', () => {})
  const [{ error, final }] = await once(server, 'offline')
  assert.equal(error.code, 'HYCO_ERR_PROXY')
  assert.equal(error.cause.code, 'ECONNREFUSED')
  assert.equal(final, false)
  assert.ok(!JSON.stringify(server.options).includes('wrong-word'))
  await server.close()
})
