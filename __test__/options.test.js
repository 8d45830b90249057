'use strict'

const assert = require('node:assert/strict')
const { describe, it } = require('node:test')
const { inspect } = require('node:util')

const hyco = require('..')
const hub = require('../lib/hub/hub')
const { serverOptions, socketOptions } = require('../lib/options/options')
const { parseAddress } = require('../lib/options/address')
const { reconnectDelay, reconnectPolicy } = require('../lib/options/reconnect')
const refuses = require('./support/refuses')
const warnings = require('./support/warnings')

const TIMEOUT = { timeout: 300_000 }

const server = 'wss://contoso.servicebus.windows.net:443/$hc/hyco?sb-hc-action=listen'
const token = 'SharedAccessSignature sr=x&sig=y&se=1&skn=z'

describe('the options of a server', TIMEOUT, () => {
  it('keep the words of hyco-ws for what is missing', () => {
    const missing = (options, message) =>
      assert.throws(() => hyco.createRelayedServer(options), { name: 'TypeError', message })
    missing({}, "'server' must be provided")
    missing(undefined, "'server' must be provided")
    missing({ server: null, token }, "'server' must be provided")
    missing({ server }, "A 'token' string or function must be provided")
    missing({ server, token: null }, "A 'token' string or function must be provided")
  })

  it('have the documented defaults', () => {
    const { options, spec, path, listenUri } = serverOptions({ server, token })
    assert.equal(listenUri, server)
    assert.equal(path, 'hyco')
    assert.deepEqual(
      { ...options },
      {
        acceptTimeout: 20_000,
        allowSynchronousEvents: true,
        autoPong: true,
        backlog: null,
        clientTracking: true,
        closeTimeout: 30_000,
        disableHixie: false,
        fetch: null,
        handleProtocols: null,
        httpServer: null,
        id: null,
        keepAliveInterval: 30_000,
        keyName: null,
        maxConcurrentDials: 4096,
        maxFragments: 16_384,
        maxPayload: 104_857_600,
        maxPendingAccepts: 4096,
        maxPendingAutoPongs: 60,
        maxRequests: 1024,
        openTimeout: 60_000,
        path: null,
        perMessageDeflate: false,
        reconnect: true,
        responseFlushDelay: 50,
        responseTimeout: 60_000,
        server,
        setCookie: 'variants',
        skipUTF8Validation: false,
        stripPath: false,
        verifyClient: null,
      },
    )
    assert.deepEqual(spec.reconnect, {
      delays: [0, 150, 1_000, 2_000, 5_000, 10_000, 30_000],
      jitter: 0.2,
      policy: 'schedule',
    })
    assert.match(spec.userAgent, /^hyco-rs\/\d+\.\d+\.\d+ /)
    assert.equal(spec.token, token)
    assert.match(spec.id, /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/, 'a GUID is made')
  })

  it('take undefined for absent', () => {
    const { options } = serverOptions({ server, token, maxPayload: undefined, id: undefined })
    assert.equal(options.maxPayload, 104_857_600)
    assert.equal(options.id, null)
  })

  it('take the id of the address unless they name one', () => {
    assert.equal(serverOptions({ server: `${server}&sb-hc-id=a`, token }).spec.id, 'a')
    assert.equal(serverOptions({ server: `${server}&sb-hc-id=a`, token, id: 'b' }).spec.id, 'b')
  })

  it('take a URL, and every scheme a relay is named by', () => {
    assert.equal(serverOptions({ server: new URL(server), token }).path, 'hyco')
    for (const [scheme, wire] of Object.entries({
      http: 'ws',
      https: 'wss',
      sb: 'wss',
      ws: 'ws',
    })) {
      const { spec } = serverOptions({ server: `${scheme}://localhost:9400/$hc/a/b`, token })
      assert.equal(spec.address, `${wire}://localhost:9400/$hc/a/b`)
    }
  })

  it('are refused by name when they are of the wrong kind', () => {
    const wrong = {
      acceptTimeout: [0, -1, NaN, '1', 2 ** 31],
      allowSynchronousEvents: [1, null],
      autoPong: ['yes'],
      clientTracking: [0],
      closeTimeout: [-1, Infinity, '30'],
      handleProtocols: ['chat', {}],
      id: ['', 5],
      keepAliveInterval: [-1, '0', null],
      maxFragments: [-1, 1.5],
      maxPayload: [-1, 0.5, '1mb', NaN, null],
      openTimeout: [0, '60'],
      maxConcurrentDials: [0, -1, 1.5, '5', 2 ** 32],
      maxPendingAccepts: [0, NaN, 2 ** 32],
      proxy: ['ftp://x', 5, 'nowhere', 'socks4://localhost:1080', 'http://proxy:0', true],
      server: ['nowhere', 'ftp://x/y', 'ws://host/path#fragment', 'ws://host:0/path', 5],
      signal: [5, {}, 'stop'],
      skipUTF8Validation: [1],
      tls: [5, 'pem'],
      token: ['', 5, {}],
      verifyClient: [true],
    }
    for (const [name, values] of Object.entries(wrong)) {
      for (const value of values) {
        refuses(() => serverOptions({ server, token, [name]: value }), name)
      }
    }
  })

  it('are taken up to the largest that a timer can wait, and the native side can count', () => {
    for (const name of ['acceptTimeout', 'closeTimeout', 'keepAliveInterval', 'openTimeout']) {
      const { spec, options } = serverOptions({ server, token, [name]: 2 ** 31 - 1 })
      assert.equal(spec[name] ?? options[name], 2 ** 31 - 1, name)
    }
    for (const name of ['maxConcurrentDials', 'maxPendingAccepts']) {
      assert.equal(serverOptions({ server, token, [name]: 2 ** 32 - 1 }).options[name], 2 ** 32 - 1)
    }
  })

  it('are refused by name when a connection string has a port at which nothing can be', () => {
    const connectionString =
      'Endpoint=sb://localhost:0/;SharedAccessKeyName=r;SharedAccessKey=k;UseDevelopmentEmulator=true'
    refuses(() => serverOptions({ connectionString, path: 'hyco' }), 'connectionString')
  })

  it('are refused by name when they contradict each other', () => {
    const connectionString = 'Endpoint=sb://ns.example/;SharedAccessKeyName=r;SharedAccessKey=k'
    const given = { connectionString, path: 'hyco' }
    refuses(() => serverOptions({ ...given, server }), 'server')
    refuses(() => serverOptions({ ...given, keyName: 'rule' }), 'keyName')
    refuses(() => serverOptions({ ...given, key: 'a2V5' }), 'key')
    refuses(() => serverOptions({ server, key: 'a2V5' }), 'keyName')
    refuses(() => serverOptions({ server, keyName: 'rule' }), 'key')
    const beats = { keepAliveInterval: 5, keepAliveTimeout: 6 }
    refuses(() => serverOptions({ server, token, ...beats }), 'keepAliveTimeout')
  })

  it('are warned of by name when they have no effect', async () => {
    const messages = await warnings(() => {
      serverOptions({ server, token, keepAliveIntervall: 5, port: 8080, backlog: 5 })
      serverOptions({ server, token, keepAliveIntervall: 5 })
      serverOptions({ server, token, key: 'a2V5', keyName: 'rule', tokenScope: 'x' })
    })
    const about = (name) => messages.filter((message) => message.includes(`'${name}'`)).length
    assert.equal(about('keepAliveIntervall'), 1, 'once')
    assert.equal(about('port'), 1)
    assert.equal(about('backlog'), 0)
    assert.deepEqual([about('key'), about('keyName'), about('tokenScope')], [1, 1, 1])
  })

  it('name a connection string that is undefined, as by a variable that is not set', () => {
    for (const connectionString of [undefined, null]) {
      const call = () => serverOptions({ connectionString, path: 'hyco' })
      refuses(call, 'connectionString')
      assert.throws(call, /environment/)
    }
    assert.ok(serverOptions({ connectionString: undefined, server, token }))
  })

  it('refuse a send URI', () => {
    const sendUri = hyco.createRelaySendUri('contoso.servicebus.windows.net', 'hyco')
    const call = () => serverOptions({ server: sendUri, token })
    refuses(call, 'server')
    assert.throws(call, /createRelayListenUri/)
    assert.ok(serverOptions({ server: 'wss://contoso.servicebus.windows.net/$hc/hyco', token }))
  })

  it('take keepAliveTimeout, as hyco-https calls it', () => {
    const { options, spec } = serverOptions({ server, token, keepAliveTimeout: 7 })
    assert.deepEqual([options.keepAliveInterval, spec.keepAliveInterval], [7, 7])
  })

  it('are rounded up to whole milliseconds: a part of one is not none', () => {
    assert.equal(serverOptions({ server, token, keepAliveInterval: 0.5 }).spec.keepAliveInterval, 1)
  })

  it('count fragments up to what the native side can count', () => {
    for (const [given, taken] of [
      [0, 0],
      [5, 5],
      [2 ** 32 - 1, 2 ** 32 - 1],
      [2 ** 32, 2 ** 32 - 1],
      [2 ** 32 + 1, 2 ** 32 - 1],
    ]) {
      const { options } = serverOptions({ server, token, maxFragments: given })
      assert.equal(socketOptions(options).maxFragments, taken)
      assert.equal(options.maxFragments, given)
    }
  })

  it('take false for no proxy', () => {
    assert.ok(serverOptions({ server, token, proxy: false }))
  })

  it('hide secrets from listings, and give them to those who ask', () => {
    const secrets = { token: 'top-secret', key: 'hush', tls: { passphrase: 'psst' } }
    const { options } = serverOptions({ server, keyName: 'rule', ...secrets })
    const shown = inspect(options) + JSON.stringify(options) + Object.keys(options)
    for (const secret of ['top-secret', 'hush', 'psst']) assert.ok(!shown.includes(secret), secret)
    assert.equal(options.token, 'top-secret')
    assert.equal(options.key, 'hush')
    assert.equal(options.keyName, 'rule')

    const address = `${server}&sb-hc-token=top-secret`
    for (const given of [address, new URL(address)]) {
      const withToken = serverOptions({ server: given, token: 'x' }).options
      assert.ok(!(inspect(withToken) + JSON.stringify(withToken)).includes('top-secret'))
      assert.equal(withToken.server, given)
    }
  })

  it('never show a secret in an error', () => {
    const listen = (options) => () => serverOptions({ server, ...options })
    for (const call of [
      listen({ keyName: 'hush'.repeat(100), key: 'hush' }),
      listen({ token: { hush: 1 } }),
      listen({ token, tls: { cert: 'hush', key: 'hush' } }),
      () => serverOptions({ connectionString: 'SharedAccessKey=hush' }),
      () => serverOptions({ server: 'nowhere?sb-hc-token=hush', token }),
    ]) {
      assert.throws(call, (error) => !inspect(error).includes('hush'))
    }
  })
})

describe('an address', TIMEOUT, () => {
  const invalid = (address, message) =>
    assert.throws(() => parseAddress(address), { name: 'SyntaxError', message })

  it('is refused in the words of ws', () => {
    invalid('nowhere', 'Invalid URL: nowhere')
    invalid('wss://host/#fragment', 'The URL contains a fragment identifier')
    invalid('ftp://host', /^The URL's protocol must be one of "ws:", "wss:", "http:", "https:"/)
  })

  it('is refused without showing the token in it', () => {
    invalid('//x?sb-hc-token=hush', /^Invalid URL: \/\/x\?sb-hc-token=(?!hush)/)
  })
})

describe('the option reconnect', TIMEOUT, () => {
  it('is no list, and is warned of where a member has no effect', async () => {
    refuses(() => reconnectPolicy([5, 10]), 'reconnect')
    const messages = await warnings(() => reconnectPolicy({ delay: [5], jitter: 0 }))
    const about = messages.filter((message) => message.includes("'delay' of reconnect"))
    assert.deepEqual(about, ["the option 'delay' of reconnect has no effect"])
  })

  it('takes a schedule', () => {
    const { spec } = reconnectPolicy({ delays: [5, 10], jitter: 0 })
    assert.deepEqual(spec, { delays: [5, 10], jitter: 0, policy: 'schedule' })
  })

  it('can be turned off', () => {
    assert.equal(reconnectPolicy(false).spec.policy, 'never')
  })

  it('takes a function, whose answer may veto or move a try', () => {
    const decide = () => {}
    const policy = reconnectPolicy(decide)
    assert.equal(policy.spec.policy, 'ask')
    assert.equal(policy.decide, decide)
    assert.equal(reconnectDelay(false, 1_000), -1)
    assert.equal(reconnectDelay(0, 1_000), 0)
    assert.equal(reconnectDelay(50, 1_000), 50)
    for (const other of [true, undefined, null, 'soon', -5, NaN, Infinity]) {
      assert.equal(reconnectDelay(other, 1_000), 1_000)
    }
  })

  it('is refused by name', () => {
    refuses(() => reconnectPolicy('never'), 'reconnect')
    refuses(() => reconnectPolicy({ delays: [] }), 'reconnect.delays')
    refuses(() => reconnectPolicy({ delays: [-1] }), 'reconnect.delays')
    refuses(() => reconnectPolicy({ jitter: 2 }), 'reconnect.jitter')
  })
})

describe('the options of relayedConnect', TIMEOUT, () => {
  const connect = (options, address = 'ws://127.0.0.1:1/$hc/hyco') =>
    hyco.relayedConnect(address, null, options)

  it('are refused by name', () => {
    refuses(() => connect({ maxPayload: -1 }), 'maxPayload')
    refuses(() => connect({ handshakeTimeout: '1' }), 'handshakeTimeout')
    refuses(() => connect({ signal: 5 }), 'signal')
    refuses(() => connect({ proxy: 'localhost:3128' }), 'proxy')
    refuses(() => connect({ ca: 'no PEM' }, 'wss://127.0.0.1:1'), 'tls.ca')
    refuses(() => hyco.relayedConnect('ws://127.0.0.1:1', 5), 'token')
    assert.throws(() => connect('options'), {
      name: 'TypeError',
      code: 'HYCO_ERR_INVALID_ARGUMENT',
    })
  })

  it('give a socket 70 seconds to open (C58), another time, or as much as it wants', (context) => {
    const { mock } = context.mock.method(hub.current(), 'connect', () => {})
    for (const options of [undefined, { handshakeTimeout: 5 }, { handshakeTimeout: 0 }]) {
      connect(options)
    }
    const times = mock.calls.map(({ arguments: [, spec] }) => spec.timeout)
    assert.deepEqual(times, [70_000, 5, 2 ** 31 - 1])
  })

  it('have the subprotocols that ws takes', () => {
    for (const protocols of [['a', 'a'], 'a b', [5], ['']]) {
      assert.throws(() => connect({ protocols }), {
        name: 'SyntaxError',
        message: 'An invalid or duplicated subprotocol was specified',
      })
    }
  })

  it('have the headers that Node takes', () => {
    assert.throws(() => connect({ headers: { 'bad name': 'x' } }), {
      code: 'ERR_INVALID_HTTP_TOKEN',
    })
    assert.throws(() => connect({ headers: { name: 'line\r\nbreak' } }), {
      code: 'ERR_INVALID_CHAR',
    })
  })
})
