'use strict'

const assert = require('node:assert/strict')
const { describe, it } = require('node:test')

const hyco = require('..')

const TIMEOUT = { timeout: 300_000 }

const ADDRESS = 'ws://127.0.0.1:1/$hc/hyco'

/** Values of every kind, none of which an option of another kind takes. */
const NONSENSE = [5, NaN, true, Symbol('nonsense'), 1n]

/** A call is refused by a TypeError that begins with the name of what cannot be used. */
function refused(name, call) {
  let made
  assert.throws(
    () => {
      made = call()
    },
    (error) => {
      assert.ok(error instanceof TypeError, `${name}: ${error.stack}`)
      assert.ok(error.message.startsWith(`'${name}`), error.message)
      assert.match(error.code, /^HYCO_ERR_INVALID_(?:OPTION|ARGUMENT)$/)
      return true
    },
  )
  assert.equal(made, undefined)
}

describe('an option of a server that cannot be used is named', TIMEOUT, () => {
  const listen = (options) => () =>
    new hyco.RelayedServer({ server: ADDRESS, token: 'x', ...options })

  for (const [name, values] of Object.entries({
    keepAliveInterval: [null],
    keepAliveTimeout: [null, -1, NaN, '5'],
    openTimeout: [null, 0, Infinity],
    path: ['', {}, ...NONSENSE],
    tls: [[], 'pem', ...NONSENSE],
    tokenScope: [{}, [5], ...NONSENSE],
  })) {
    it(name, () => {
      for (const value of values) refused(name, listen({ [name]: value }))
    })
  }

  it('in tls, although the address is one without', () => {
    refused('tls.ca', listen({ tls: { ca: 'no certificate' } }))
    refused('tls.rejectUnauthorized', listen({ tls: { rejectUnauthorized: 'no' } }))
  })
})

describe('an option of relayedConnect that cannot be used is named', TIMEOUT, () => {
  const connect = (options) => () => hyco.relayedConnect(ADDRESS, 'token', options)

  for (const [name, values] of Object.entries({
    headers: [[], 'Name: value', ...NONSENSE],
    origin: [{}, ...NONSENSE],
    path: ['', {}, ...NONSENSE],
    tls: [[], 'pem', ...NONSENSE],
    tokenScope: [{}, [5], ...NONSENSE],
  })) {
    it(name, () => {
      for (const value of values) refused(name, connect({ [name]: value }))
    })
  }
})

describe('a header that has no value', TIMEOUT, () => {
  it('is refused as ws does, since it hides a variable that is not set', () => {
    const { WebSocket } = require('ws')
    for (const headers of [{ 'X-Key': undefined }]) {
      const expected = {
        name: 'TypeError',
        code: 'ERR_HTTP_INVALID_HEADER_VALUE',
        message: /X-Key/,
      }
      assert.throws(() => new WebSocket('ws://127.0.0.1:1', { headers }), expected)
      assert.throws(() => hyco.relayedConnect(ADDRESS, 'token', { headers }), expected)
    }
  })
})

describe('a private key that cannot be read', TIMEOUT, () => {
  const { cert, key } = require('./support/certificate')
  const { createPrivateKey } = require('node:crypto')

  const why = (given, passphrase) => {
    const tls = { cert, key: given, passphrase }
    try {
      hyco.relayedConnect('wss://127.0.0.1:1/$hc/hyco', 'token', { tls })
    } catch ({ message }) {
      return message
    }
    throw new Error('it was taken')
  }

  it('is told apart: no key, a damaged one, one without its passphrase or with a wrong one', () => {
    const cipher = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'right' }
    const encrypted = createPrivateKey(key).export(cipher)
    assert.equal(why('nonsense'), "'tls.key' must hold a private key in PEM form")
    assert.equal(why(cert), "'tls.key' must hold a private key in PEM form")
    const damaged = '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n'
    assert.equal(why(damaged), "'tls.key' holds a private key that cannot be read")
    assert.equal(why(encrypted), "'tls.key' is encrypted; give its 'passphrase' too")
    assert.equal(why(encrypted, 'wrong'), "'tls.key' cannot be opened with that 'passphrase'")
  })
})

describe('options of relayedConnect in place of the address', TIMEOUT, () => {
  it('are refused with what to do', () => {
    refused('address', () => hyco.relayedConnect({ connectionString: 'Endpoint=sb://x' }))
  })
})

describe('a namespace of which no address can be made is named', TIMEOUT, () => {
  const { createRelayHttpsUri } = require('../https')
  const { createRelayBaseUri, createRelayListenUri, createRelaySendUri } = hyco
  const makers = [createRelayBaseUri, createRelayListenUri, createRelaySendUri, createRelayHttpsUri]

  for (const namespace of [
    ' ',
    'a b',
    'a\nb',
    '\0',
    'ws://',
    'ftp://contoso.example',
    'http://wss://contoso.example',
    'user:secret@contoso.example',
    'contoso.example/hyco',
    'contoso.example?a=b',
    'contoso.example#a',
    'contoso.example:port',
    'contoso.example:99999',
    'contoso.example:0',
    'ws://localhost:0',
    '[::1]:00',
    '[::1',
  ]) {
    it(JSON.stringify(namespace), () => {
      for (const make of makers) refused('namespaceName', () => make(namespace, 'hyco'))
    })
  }

  it('and whatever has a host is one', () => {
    for (const namespace of [
      'contoso',
      ' contoso.servicebus.windows.net/ ',
      'sb://contoso.servicebus.windows.net/',
      'HTTPS://contoso.example',
      'ws://localhost:9400',
      '[::1]:9400',
      'größe.example',
    ]) {
      for (const make of makers) assert.ok(URL.canParse(make(namespace, 'hyco')), namespace)
    }
  })
})
