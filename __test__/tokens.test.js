'use strict'

const assert = require('node:assert')
const { createHmac } = require('node:crypto')
const fs = require('node:fs')
const path = require('node:path')
const { describe, it, mock } = require('node:test')

const native = require('../lib/native')
const uri = require('../lib/uri')

const TIMEOUT = { timeout: 300_000 }

const TESTDATA = path.join(__dirname, '..', 'crates', 'protocol', 'testdata')
const vectors = readJson('vectors.json')
const golden = readJson('hyco-ws.json')

/** Vectors where the token of hyco-ws is of no use: unescaped rule name, signed user info. */
const IMPROVED = new Set(['V5', 'V11'])

const ADDRESS = 'wss://contoso.servicebus.windows.net/$hc/hyco'
const KEY = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8='

/**
 * @param {String} name
 * @return {Object}
 */
function readJson(name) {
  return JSON.parse(fs.readFileSync(path.join(TESTDATA, name), 'utf8'))
}

/**
 * Runs a function at a fixed time.
 *
 * @param {Number} now Unix time in seconds
 * @param {Function} fn
 * @return {*} What the function returns
 */
function at(now, fn) {
  const clock = mock.method(Date, 'now', () => now * 1000)
  try {
    return fn()
  } finally {
    clock.mock.restore()
  }
}

describe('createRelayToken', TIMEOUT, () => {
  it('equals hyco-ws in every test vector (C2, C4, C6)', () => {
    for (const vector of vectors.cases) {
      const { id, uri: address, rule, key, se } = vector
      const token = at(se - 3600, () => uri.createRelayToken(address, rule, key))
      if (IMPROVED.has(id)) assert.notStrictEqual(token, vector.hyco_token, id)
      else assert.strictEqual(token, vector.hyco_token, id)
    }
  })

  it('takes 3600 seconds for whatever is falsy or no number (C3)', () => {
    for (const seconds of [undefined, null, 0, NaN, '', false, 'soon', {}]) {
      const token = at(1000, () => uri.createRelayToken(ADDRESS, 'r', 'k', seconds))
      assert.strictEqual(native.tokenExpiry(token), 4600, String(seconds))
    }
  })

  it('takes a URI in every form of the namespace', () => {
    const expected = at(1000, () => uri.createRelayToken('http://ns.example/', 'r', 'k'))
    for (const same of ['sb://ns.example', 'ns.example', new URL('http://ns.example')]) {
      assert.strictEqual(
        at(1000, () => uri.createRelayToken(same, 'r', 'k')),
        expected,
      )
    }
  })

  it("takes 'http://' in front of a namespace that carries its own scheme", () => {
    const sign = (address) => at(1000, () => uri.createRelayToken(address, 'r', 'k'))
    assert.strictEqual(sign('http://ws://localhost:9400'), sign('http://localhost:9400'))
  })

  it('takes the key as text or as bytes, whatever bytes they are', () => {
    const sign = (key) => at(1000, () => uri.createRelayToken('http://ns.example/', 'r', key))
    assert.strictEqual(sign(Buffer.from(KEY)), sign(KEY))
    assert.strictEqual(sign(new TextEncoder().encode(KEY)), sign(KEY))
    const bytes = Buffer.from(KEY, 'base64')
    const signature = createHmac('sha256', bytes)
      .update('http%3A%2F%2Fns.example%2F\n4600')
      .digest('base64')
    const [, signed] = /&sig=([^&]*)/.exec(sign(bytes))
    assert.strictEqual(decodeURIComponent(signed), signature)
    assert.throws(() => sign(Buffer.alloc(0)), { name: 'TypeError', message: /^'key' / })
  })

  it('throws a TypeError that names a bad argument', () => {
    const calls = [
      [[], 'uri'],
      [[null, 'r', 'k'], 'uri'],
      [['', 'r', 'k'], 'uri'],
      [[ADDRESS], 'ruleName'],
      [[ADDRESS, 1, 'k'], 'ruleName'],
      [[ADDRESS, 'r'], 'key'],
      [[ADDRESS, 'r', ''], 'key'],
      [[ADDRESS, 'r', 'k', Infinity], 'expirationSeconds'],
    ]
    for (const fn of [uri.createRelayToken, uri.appendRelayToken]) {
      for (const [args, name] of calls) {
        assert.throws(() => fn(...args), { name: 'TypeError', message: new RegExp(`^'${name}' `) })
      }
    }
  })

  it('refuses names and keys that the service does not know, without showing them (C5)', () => {
    const secret = 'secret'.repeat(50)
    assert.throws(() => uri.createRelayToken(ADDRESS, 'r', secret), {
      code: 'HYCO_ERR_INVALID_TOKEN',
      message: 'invalid rule: its key is longer than 256 characters',
    })
    assert.throws(() => uri.createRelayToken('wss://', 'r', 'k'), {
      code: 'HYCO_ERR_INVALID_ADDRESS',
    })
  })
})

describe('the functions of hyco-ws', TIMEOUT, () => {
  it('return what they always returned, character by character', () => {
    for (const { function: name, arguments: written, result } of golden.cases) {
      const args = written.map((value) => {
        if (value?.nan) return NaN
        return value?.undefined ? undefined : value
      })
      assert.strictEqual(
        at(golden.now, () => uri[name](...args)),
        result,
        `${name}(${JSON.stringify(written)})`,
      )
    }
  })
})

describe('appendRelayToken', TIMEOUT, () => {
  it('appends to an address with and without query and fragment', () => {
    for (const [address, start, end] of [
      [ADDRESS, `${ADDRESS}?sb-hc-token=SharedAccessSignature%20sr%3D`, ''],
      [`${ADDRESS}?x=1#f`, `${ADDRESS}?x=1&sb-hc-token=SharedAccessSignature%20sr%3D`, '#f'],
    ]) {
      const appended = uri.appendRelayToken(address, 'r', KEY)
      assert.ok(appended.startsWith(start), appended)
      assert.ok(appended.endsWith(end))
      const token = new URL(appended).searchParams.get('sb-hc-token')
      assert.ok(native.tokenExpiry(token) > Date.now() / 1000 + 3500)
    }
  })
})

describe('createRelayBaseUri, createRelayListenUri and createRelaySendUri', TIMEOUT, () => {
  it('take a namespace with scheme and port', () => {
    assert.strictEqual(
      uri.createRelayListenUri('ws://localhost:9400', '/hyco', null, 'id'),
      'ws://localhost:9400/$hc/hyco?sb-hc-action=listen&sb-hc-id=id',
    )
    assert.strictEqual(
      uri.createRelaySendUri('localhost:9400', 'a b?room=1', 'to ken'),
      'wss://localhost:9400/$hc/a%20b?room=1&sb-hc-action=connect&sb-hc-token=to%20ken',
    )
    assert.strictEqual(uri.createRelayBaseUri('sb://ns/', 'hyco'), 'wss://ns:443/$hc/hyco')
  })

  it('throw a TypeError that names a bad argument', () => {
    const { createRelayBaseUri, createRelayListenUri, createRelaySendUri } = uri
    for (const fn of [createRelayBaseUri, createRelayListenUri, createRelaySendUri]) {
      assert.throws(() => fn(), { name: 'TypeError', message: /^'namespaceName' / })
      assert.throws(() => fn('ns', null), { name: 'TypeError', message: /^'path' / })
    }
    for (const fn of [createRelayListenUri, createRelaySendUri]) {
      assert.throws(() => fn('ns', 'p', {}), { name: 'TypeError', message: /^'token' / })
      assert.throws(() => fn('ns', 'p', 't', []), { name: 'TypeError', message: /^'id' / })
    }
  })
})

describe('the boundary', TIMEOUT, () => {
  it('reads connection strings (C61, C62, C63)', () => {
    const string =
      'Endpoint=sb://localhost;SharedAccessKeyName=Root;SharedAccessKey=a=b=;EntityPath=team/h c;' +
      'OperationTimeout=00:01:10;TransportType=x;UseDevelopmentEmulator=true'
    const parts = native.parseConnectionString(string)
    assert.deepStrictEqual(
      { ...parts },
      {
        address: 'ws://localhost:9400/$hc/team/h%20c',
        entityPath: 'team/h c',
        keyName: 'Root',
        key: 'a=b=',
        operationTimeout: 70_000,
        developmentEmulator: true,
        unknownKeys: ['TransportType'],
      },
    )
    assert.throws(() => native.parseConnectionString('Endpoint=sb://ns/'), {
      code: 'HYCO_ERR_INVALID_CONNECTION_STRING',
    })
    const other = native.parseConnectionString('Endpoint=sb://ns/', 'hyco')
    assert.strictEqual(other.address, 'wss://ns/$hc/hyco')
  })

  it('shows texts without secrets (C9)', () => {
    const shown = native.redact(uri.appendRelayToken(ADDRESS, 'r', KEY))
    assert.strictEqual(shown, `${ADDRESS}?sb-hc-token=***`)
  })
})
