'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { describe, it } = require('node:test')

const hyco = require('..')
const { serverOptions } = require('../lib/options/options')
const { createKeySource, createTokenSource } = require('../lib/options/token')
const refuses = require('./support/refuses')

const TIMEOUT = { timeout: 300_000 }

const server = 'wss://contoso.servicebus.windows.net:443/$hc/hyco?sb-hc-action=listen'
const token = 'SharedAccessSignature sr=x&sig=y&se=1&skn=z'

describe('a connection string', TIMEOUT, () => {
  const base =
    'Endpoint=sb://contoso.servicebus.windows.net/;SharedAccessKeyName=rule;SharedAccessKey=a2V5'

  it('names the relay, the hybrid connection and the key', async () => {
    const { listenUri, path, tokens, spec } = serverOptions({
      connectionString: `${base};EntityPath=a/b`,
    })
    assert.match(
      listenUri,
      /^wss:\/\/contoso\.servicebus\.windows\.net(:443)?\/\$hc\/a\/b\?sb-hc-action=listen$/,
    )
    assert.equal(path, 'a/b')
    assert.equal(spec.token, undefined)
    assert.match(await tokens.get(), /^SharedAccessSignature .*&skn=rule$/)
  })

  it('leaves the path to the option where it has none', () => {
    assert.equal(serverOptions({ connectionString: base, path: 'hyco' }).path, 'hyco')
    refuses(() => serverOptions({ connectionString: base }), 'connectionString')
  })

  it('agrees with an option path that is its EntityPath, and with no other', () => {
    const connectionString = `${base};EntityPath=a/b`
    for (const path of ['a/b', '/a/b/']) {
      assert.equal(serverOptions({ connectionString, path }).path.replace(/\/$/, ''), 'a/b')
    }
    refuses(() => serverOptions({ connectionString, path: 'a' }), 'connectionString')
    refuses(() => serverOptions({ connectionString, path: 'a/b/c' }), 'path')
    refuses(() => serverOptions({ connectionString: base, path: 'hyco?room=1' }), 'path')
  })

  it('gives way to a token beside it', async () => {
    const { spec } = serverOptions({ connectionString: base, path: 'hyco', token })
    assert.equal(spec.token, token)
  })

  it('may hold a ready token, or leave the credential to the option', () => {
    const endpoint = 'Endpoint=sb://contoso.servicebus.windows.net/;EntityPath=hyco'
    const ready = serverOptions({ connectionString: `${endpoint};SharedAccessSignature=${token}` })
    assert.equal(ready.spec.token, token)
    refuses(() => serverOptions({ connectionString: endpoint }), 'connectionString')
    const credential = { getToken: async () => ({ token: 'jwt', expiresOnTimestamp: 0 }) }
    assert.ok(serverOptions({ connectionString: endpoint, token: credential }))
  })

  it('sets the time to open', () => {
    const timed = { connectionString: `${base};OperationTimeout=00:00:05`, path: 'hyco' }
    assert.equal(serverOptions(timed).spec.openTimeout, 5_000)
    assert.equal(serverOptions({ ...timed, openTimeout: 7 }).spec.openTimeout, 7)
  })

  it('may be for the local relay', () => {
    const connectionString =
      'Endpoint=sb://localhost;SharedAccessKeyName=r;SharedAccessKey=k;UseDevelopmentEmulator=true'
    const { listenUri, spec } = serverOptions({ connectionString, path: 'hyco' })
    assert.match(listenUri, /^ws:\/\/localhost:\d+\/\$hc\/hyco\?sb-hc-action=listen$/)
    assert.equal(spec.tls, undefined)
  })

  it('warns of a key that means nothing', async () => {
    const warned = new Promise((resolve) => {
      process.on('warning', function hear(warning) {
        if (!warning.message.includes('"Colour"')) return
        process.removeListener('warning', hear)
        resolve()
      })
    })
    serverOptions({ connectionString: `${base};Colour=red`, path: 'hyco' })
    await warned
  })

  it('warns of a key without its name where that may be a part of a secret', async () => {
    const texts = []
    const hear = (warning) => texts.push(warning.message)
    process.on('warning', hear)
    serverOptions({
      connectionString: `${base};c2Vj+cmV0/x=y;${'longer'.repeat(5)}=z`,
      path: 'hyco',
    })
    // Warnings are emitted in a tick of their own.
    await new Promise((resolve) => setImmediate(resolve))
    process.removeListener('warning', hear)
    assert.deepEqual(texts, [
      'a key of the connection string means nothing',
      'the key "longerlongerlongerlo" of the connection string means nothing',
    ])
  })

  it('cannot be given beside a listen URI', () => {
    refuses(() => serverOptions({ connectionString: base, path: 'hyco', server }), 'server')
  })
})

describe('a token', TIMEOUT, () => {
  it('may be a string, which cannot be renewed', async () => {
    const tokens = createTokenSource(token)
    assert.equal(tokens.fixed, token)
    assert.equal(await tokens.get(), token)
  })

  it('is trimmed, and refused if no header can hold it', () => {
    assert.equal(createTokenSource(` ${token}\n`).fixed, token)
    for (const bad of ['a\nb', 'a\0b', 'a\u0100b', ' \n ']) {
      refuses(() => createTokenSource(bad), 'token')
    }
  })

  it('that a source gives is trimmed, and an error if no header can hold it', async () => {
    assert.equal(await createTokenSource(() => ` ${token}\r\n`).get(), token)
    for (const bad of ['a\nb', 'a\0b', 'a\u0100b', ' \n ']) {
      await assert.rejects(createTokenSource(() => bad).get(), { code: 'HYCO_ERR_TOKEN' })
    }
  })

  it('may come from a function, at once or later, anew each time', async () => {
    let count = 0
    const now = createTokenSource(() => `token ${++count}`)
    assert.equal(now.fixed, undefined)
    assert.deepEqual([await now.get(), await now.get()], ['token 1', 'token 2'])
    assert.equal(await createTokenSource(async () => 'later').get(), 'later')
  })

  it('may come from a credential, which is asked for the scope', async () => {
    const asked = []
    const credential = {
      getToken(scope) {
        asked.push([this, scope])
        return Promise.resolve({ token: 'jwt', expiresOnTimestamp: 0 })
      },
    }
    assert.equal(await createTokenSource(credential).get(), 'jwt')
    assert.equal(await createTokenSource(credential, 'https://other').get(), 'jwt')
    assert.deepEqual(asked, [
      [credential, 'https://relay.azure.net/.default'],
      [credential, 'https://other'],
    ])
  })

  it('brings the times that its credential tells', async () => {
    const given = { token: 'jwt', expiresOnTimestamp: 2_000, refreshAfterTimestamp: 1_000 }
    const source = createTokenSource({ getToken: () => given })
    assert.deepEqual(await source.fetch(), { token: 'jwt', expiresOn: 2_000, refreshAfter: 1_000 })
    assert.deepEqual(await createTokenSource(() => 'jwt').fetch(), {
      token: 'jwt',
      expiresOn: undefined,
      refreshAfter: undefined,
    })
  })

  it('loses the white space at its ends, and must be one that a header can hold', async () => {
    assert.equal(await createTokenSource(() => ' jwt\r\n').get(), 'jwt')
    for (const text of ['a\r\nb', 'a\0', '日本', '\n']) {
      await assert.rejects(createTokenSource(() => text).get(), { code: 'HYCO_ERR_TOKEN' })
    }
  })

  it('is signed with a key', async () => {
    const tokens = createKeySource(server, 'rule', 'key')
    assert.match(await tokens.get(), /^SharedAccessSignature sr=http.*&skn=rule$/)
    const bytes = Buffer.from('key')
    const early = createKeySource(server, 'rule', bytes)
    bytes.fill(0)
    assert.equal(await early.get(), await tokens.get())
    refuses(() => createKeySource(server, null, 'key'), 'keyName')
    refuses(() => createKeySource(server, 'rule', ''), 'key')
    refuses(() => createKeySource(server, 'r'.repeat(257), 'key'), 'keyName')
  })

  it('that is signed with a key lives for an hour, whether the key is text or bytes', async () => {
    for (const key of ['key', Buffer.from('key')]) {
      const before = Date.now()
      const [, end] = /&se=(\d+)&/.exec(await createKeySource(server, 'rule', key).get())
      const [least, most] = [before, Date.now()].map((time) => time / 1000 + 3600)
      assert.ok(end > least - 1 && end < most + 1, `${end - least} s`)
    }
  })

  it('is signed for names and keys of up to 256 characters', () => {
    const longest = 'k'.repeat(256)
    assert.equal(createKeySource(server, longest, longest).key, longest)
    refuses(() => createKeySource(server, 'rule', `${longest}k`), 'key')
  })

  it('that cannot be had is an error with its cause', async () => {
    const cause = new Error('vault is closed')
    const failing = [
      () => {
        throw cause
      },
      () => Promise.reject(cause),
      { getToken: () => Promise.reject(cause) },
    ]
    for (const provider of failing) {
      await assert.rejects(createTokenSource(provider).get(), {
        code: 'HYCO_ERR_TOKEN',
        message: 'the token provider failed: vault is closed',
        cause,
      })
    }
    for (const thrown of [Object.create(null), undefined, Symbol('no'), { message: 5 }]) {
      const throwing = () => {
        throw thrown
      }
      await assert.rejects(createTokenSource(throwing).get(), { code: 'HYCO_ERR_TOKEN' })
    }
    for (const provider of [() => null, async () => 5, { getToken: async () => null }]) {
      await assert.rejects(createTokenSource(provider).get(), { code: 'HYCO_ERR_TOKEN' })
    }
  })

  it('that is a page instead of a token is not sent, be it a listener or a sender that asked', async () => {
    const page = () => ' <!DOCTYPE html><title>Sign in</title>'
    const refused = { code: 'HYCO_ERR_TOKEN', message: /gave an HTML or XML document and no token/ }
    await assert.rejects(createTokenSource(page).get(), refused)
    await assert.rejects(
      createTokenSource({ getToken: async () => ({ token: page() }) }).get(),
      refused,
    )
    const sender = hyco.relayedConnect('ws://127.0.0.1:1/$hc/hyco', page)
    const [error] = await once(sender, 'error')
    assert.equal(error.code, refused.code)
  })
})
