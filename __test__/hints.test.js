'use strict'

const assert = require('node:assert/strict')
const { lookup } = require('node:dns/promises')
const { once } = require('node:events')
const net = require('node:net')
const { after, before, describe, it } = require('node:test')

const hyco = require('..')
const certificate = require('./support/certificate')
const TestRelay = require('./support/relay')
const { failed } = require('./support/watch')

const TIMEOUT = { timeout: 300_000 }

const PROXY_NEEDED = /firewall, and whether a proxy is needed \(option 'proxy', HTTPS_PROXY\)\.$/

let relay
let secured
const servers = []

/** A server that does that with each connection; returns host and port. */
async function serve(act) {
  const open = new Set()
  const server = net.createServer((socket) => {
    open.add(socket.on('error', () => {}))
    act(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  servers.push(() => {
    for (const socket of open) socket.destroy()
    return new Promise((resolve) => server.close(resolve))
  })
  return `127.0.0.1:${server.address().port}`
}

const answering = (status) => serve((socket) => socket.end(`HTTP/1.1 ${status}\r\n\r\n`))

before(async () => {
  relay = await TestRelay.start({
    maxListeners: 1,
    rules: [
      { keyName: 'all', key: 'key' },
      { keyName: 'listener', key: 'key', rights: ['Listen'] },
      { keyName: 'sender', key: 'key', rights: ['Send'] },
    ],
  })
  secured = await TestRelay.start({ tls: { cert: certificate.cert, key: certificate.key } })
})

after(async () => {
  await relay.close()
  await secured.close()
  for (const close of servers) await close()
})

/** The failure of a sender has this hint, at the end of its message too. */
async function hints(hint, address, token, options) {
  const { error } = await failed(hyco.relayedConnect(address, token, options))
  assert.match(error.hint ?? '', hint, error.message)
  assert.ok(error.message.endsWith(`. ${error.hint}`), error.message)
  return error
}

/** A token for the hybrid connection. */
const signed = (keyName, { path = 'hyco', key = 'key', seconds } = {}) =>
  hyco.createRelayToken(`${relay.namespace}/${path}`, keyName, key, seconds)

describe('what a relay refuses has a hint', TIMEOUT, () => {
  for (const [what, hint, token] of [
    ['a wrong key', /^The key is not that of the rule, or /, () => signed('all', { key: 'other' })],
    ['an unknown rule', /or there is no rule of that name\.$/, () => signed('nobody')],
    ['another address', /is for another address/, () => signed('all', { path: 'other' })],
    ['its end', /has ended; is the clock/, () => signed('all', { seconds: -3600 })],
    ['a right that lacks', /lacks the right: .* Send to connect/, () => signed('listener')],
    ['what is no token', /is none; createRelayToken makes one/, () => 'nonsense'],
    ['no token', /the relay got none/, () => null],
  ]) {
    it(`a token with ${what}`, () => hints(hint, relay.sendUri('hyco'), token()))
  }

  it('a rule that may only send, used to listen', async () => {
    const options = { server: relay.listenUri('hyco'), keyName: 'sender', key: 'key' }
    const listener = new hyco.RelayedServer(options).on('error', () => {})
    const [{ error }] = await once(listener, 'offline')
    assert.match(error.hint, /lacks the right: Listen is needed to listen/)
    await listener.close()
  })

  it('a listener too many', async () => {
    const options = { server: relay.listenUri('hyco'), keyName: 'all', key: 'key' }
    const first = new hyco.RelayedServer(options)
    await once(first, 'listening')
    const second = new hyco.RelayedServer(options).on('error', () => {})
    const [{ error }] = await once(second, 'offline')
    assert.equal(error.code, 'HYCO_ERR_QUOTA')
    assert.match(error.hint, /takes 25 listeners/)
    await second.close()
    await first.close()
  })
})

describe('what a listener answers has a hint', TIMEOUT, () => {
  it('when it serves HTTP alone, and took the sender for a request', async () => {
    const fetch = () => new Response('a page')
    const options = { server: relay.listenUri('hyco'), keyName: 'all', key: 'key', fetch }
    const listener = new hyco.RelayedServer(options)
    await once(listener, 'listening')
    const hint =
      /^The listener .* serves HTTP, and needs a 'connection' listener to take WebSockets\.$/
    const error = await hints(hint, relay.sendUri('hyco'), signed('all'))
    assert.equal(error.statusCode, 200)
    await listener.close()
  })
})

describe('what fails on the way has a hint', TIMEOUT, () => {
  it('TLS to a port that speaks plain', async () => {
    const address = relay.sendUri('hyco').replace('ws:', 'wss:')
    const { code } = await hints(/speaks no TLS; .*begin the address with 'ws:\/\/'/, address, 'x')
    assert.equal(code, 'HYCO_ERR_TLS')
  })

  it('plain words to a port that speaks TLS', async () => {
    const address = secured.sendUri('hyco').replace('wss:', 'ws:')
    await hints(/speaks TLS, begin the address with 'wss:\/\/'/, address, 'x')
  })

  it('a certificate that nobody has signed whom this machine trusts', () =>
    hints(/'tls\.ca' or NODE_EXTRA_CA_CERTS/, secured.sendUri('hyco'), 'x'))

  it('a certificate for another name', () => {
    const tls = { ca: certificate.ca, servername: 'other.example' }
    return hints(/is for another name.*'tls\.servername'/, secured.sendUri('hyco'), 'x', { tls })
  })

  it('a TLS handshake that is cut', async () => {
    const address = `wss://${await serve((socket) => socket.destroy())}/$hc/hyco`
    await hints(PROXY_NEEDED, address, 'x')
  })

  it('silence, in plain and where TLS is expected', async () => {
    const silent = await serve(() => {})
    for (const scheme of ['ws', 'wss']) {
      const options = { handshakeTimeout: 1000 }
      await hints(PROXY_NEEDED, `${scheme}://${silent}/$hc/hyco`, 'x', options)
    }
  })

  it('a name that has no address, or a machine that cannot resolve any', async () => {
    const found = await lookup('contoso.invalid').catch(({ code }) => code)
    const hint =
      found === 'EAI_AGAIN' ? /check its network and its DNS/ : /Check the name of the namespace/
    await hints(hint, 'wss://contoso.invalid/$hc/hyco', 'x', { proxy: false })
  })

  for (const [status, hint] of [
    ['200 OK', PROXY_NEEDED],
    ['302 Found', PROXY_NEEDED],
    ['407 Who are you', /^A proxy wants to be asked/],
    ['429 Too Many Requests', /on the way to it, cannot take more .* try again later\.$/],
    ['503 Busy', /on the way to it, cannot take more .* try again later\.$/],
  ]) {
    it(`what is no relay and answers ${status}`, async () => {
      await hints(hint, `ws://${await answering(status)}/$hc/hyco`, 'x')
    })
  }

  for (const [status, hint] of [
    [
      '407 Who are you\r\nProxy-Authenticate: NTLM',
      /^Run a proxy on this machine that signs in at the other one/,
    ],
    ['407 Who are you', /http:\/\/user:password@host:port/],
    ['403 No', /^Have the proxy allow connections/],
    ['502 Bad Gateway', /whether it can reach the relay/],
  ]) {
    it(`a proxy that answers ${status.replace('\r\n', ', ')}, whose status the error has`, async () => {
      const proxy = `http://${await answering(status)}`
      const error = await hints(hint, 'wss://relay.example/$hc/hyco', 'x', { proxy })
      assert.equal(error.code, 'HYCO_ERR_PROXY')
      assert.equal(error.statusCode, parseInt(status))
      assert.match(error.message, /^proxy 127\.0\.0\.1:\d+ refused the connection/)
    })
  }

  it('a proxy that is not there', () =>
    hints(/^Check the address of the proxy: .*NO_PROXY/, 'wss://relay.example/$hc/hyco', 'x', {
      proxy: 'http://127.0.0.1:1',
    }))
})
