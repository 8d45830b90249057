'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { after, before, describe, it } = require('node:test')

const hyco = require('..')
const TestRelay = require('./support/relay')
const { closed, failed } = require('./support/watch')

const TIMEOUT = { timeout: 60_000 }

const ID = 'ca496b91-f5a3-4761-8eda-9a66dd9a2558'

let relay
let server

before(async () => {
  relay = await TestRelay.start({ hybridConnections: ['hyco'] })
  server = new hyco.RelayedServer({
    server: relay.listenUri('hyco'),
    token: () => relay.token(),
    id: ID,
  })
  await once(server, 'listening')
})

after(async () => {
  await server.close()
  await relay.close()
})

/** Whether a socket opens; it is closed again. */
async function opens(socket) {
  await once(socket, 'open')
  const end = closed(socket)
  socket.close(1000)
  await end
}

describe('a sender', TIMEOUT, () => {
  it('signs with a rule and its key, a connection string, or asks a credential', async () => {
    const { keyName, key, connectionString } = relay.emulator
    const uri = relay.sendUri('hyco')
    const credential = { getToken: async () => ({ token: relay.token() }) }
    await opens(hyco.relayedConnect(uri, { keyName, key }))
    await opens(hyco.relayedConnect(uri, { keyName, key: Buffer.from(key) }))
    await opens(hyco.relayedConnect(uri, null, { keyName, key }))
    await opens(hyco.relayedConnect(uri, { connectionString, path: 'hyco' }))
    await opens(hyco.relayedConnect(null, { connectionString, path: 'hyco' }))
    await opens(hyco.relayedConnect(null, null, { connectionString, path: 'hyco' }))
    await opens(hyco.relayedConnect(uri, { credential }))
    await opens(hyco.relayedConnect(null, relay.token(), { connectionString, path: 'hyco' }))
    // The other end may learn of it later, and not in the next test.
    const came = once(server, 'connection')
    await new Promise((resolve) => {
      hyco.relayedConnect(uri, { keyName, key }, (socket) => {
        socket.terminate()
        resolve()
      })
    })
    await came
  })

  it('may add a path and a query to the hybrid connection, which the listener sees', async () => {
    const { connectionString } = relay.emulator
    const named = `${connectionString};EntityPath=hyco`
    for (const [string, path, seen] of [
      [connectionString, 'hyco/chat?room=1', '/hyco/chat?room=1'],
      [connectionString, 'hyco?a=ü b&c=%2F#d', '/hyco?a=%C3%BC%20b&c=%2F%23d'],
      [named, 'hyco', '/hyco'],
      [named, 'hyco/ü?', '/hyco/%C3%BC'],
      [named, '?room=1', '/hyco?room=1'],
    ]) {
      const came = once(server, 'connection')
      const socket = hyco.relayedConnect(null, { connectionString: string, path })
      await opens(socket)
      const [, request] = await came
      assert.equal(request.url, seen)
    }
    const other = () => hyco.relayedConnect(null, { connectionString: named, path: 'other' })
    assert.throws(other, {
      name: 'TypeError',
      message: /EntityPath is 'hyco', so a path beside it/,
    })
  })

  it('finds the local relay by UseDevelopmentEmulator, and its port', async () => {
    const { keyName, key, address } = relay.emulator
    const text = `SharedAccessKeyName=${keyName};SharedAccessKey=${key};UseDevelopmentEmulator=true`
    const connectionString = `Endpoint=sb://127.0.0.1:${address.port};${text};EntityPath=hyco`
    const socket = hyco.relayedConnect(null, { connectionString })
    assert.match(socket.url, new RegExp(`^ws://127\\.0\\.0\\.1:${address.port}/`))
    await opens(socket)
  })

  it('is refused by name what cannot be used', () => {
    const uri = relay.sendUri('hyco')
    const connectionString = 'Endpoint=sb://ns.example/;SharedAccessKeyName=r;SharedAccessKey=k'
    const refused = (name, ...args) =>
      assert.throws(
        () => hyco.relayedConnect(...args),
        (error) => error instanceof TypeError && error.message.startsWith(`'${name}'`),
      )
    refused('key', uri, { keyName: 'rule' })
    refused('keyName', uri, { keyName: 5, key: 'k' })
    refused('credential', uri, { credential: {} })
    refused('keyName', uri, 'token', { keyName: 'r', key: 'k' })
    refused('keyName', uri, { credential: { getToken: () => {} }, keyName: 'r', key: 'k' })
    refused('connectionString', uri, { connectionString: 5 })
    refused('connectionString', null, { connectionString })
    refused('address', relay.listenUri('hyco'), 'token')
    refused('allowedListeners', uri, 'token', { allowedListeners: ['a b'] })
    refused('disallowedListeners', uri, 'token', { disallowedListeners: 5 })
  })

  it('says which listeners may be chosen', async () => {
    const other = '0e1a8f5e-0000-4000-8000-000000000000'
    const connect = (options) => hyco.relayedConnect(relay.sendUri('hyco'), relay.token(), options)
    await opens(connect({ allowedListeners: [other, ID] }))
    await opens(connect({ allowedListeners: ID, disallowedListeners: [other] }))
    await opens(connect({ allowedListeners: null, disallowedListeners: [] }))
    for (const options of [{ allowedListeners: [other] }, { disallowedListeners: [other, ID] }]) {
      const { error } = await failed(connect(options))
      assert.equal(error.code, 'HYCO_ERR_NO_LISTENER')
      assert.match(error.reason, /AllowedListeners/)
    }
  })
})

describe('the option token', TIMEOUT, () => {
  it('is what may stand before the options as well', async () => {
    const uri = relay.sendUri('hyco')
    await opens(hyco.relayedConnect(uri, { token: relay.token() }))
    await opens(hyco.relayedConnect(uri, { token: async () => relay.token() }))
    await opens(hyco.relayedConnect(uri, null, { token: relay.token(), headers: { 'X-A': '1' } }))
    await opens(hyco.relayedConnect(uri, relay.token(), { token: null }))
    const socket = await new Promise((resolve) => {
      hyco.relayedConnect(uri, { token: relay.token() }, resolve)
    })
    const end = closed(socket)
    socket.close()
    await end
  })

  it('is given once, and by one way', () => {
    const uri = relay.sendUri('hyco')
    const refused = { name: 'TypeError', code: 'HYCO_ERR_INVALID_OPTION' }
    assert.throws(
      () => hyco.relayedConnect(uri, relay.token(), { token: relay.token() }),
      (error) => /'token' is given twice/.test(error.message) && error.code === refused.code,
    )
    for (const options of [{ token: 5 }, { token: relay.token(), keyName: 'a', key: 'b' }]) {
      assert.throws(() => hyco.relayedConnect(uri, options), refused)
    }
  })
})

describe('an error', TIMEOUT, () => {
  it('says what one can do, in hint and at the end of its message', async () => {
    const { keyName } = relay.emulator
    const wrong = await failed(
      hyco.relayedConnect(relay.sendUri('hyco'), { keyName, key: 'not the key' }),
    )
    assert.match(wrong.error.hint, /^The key is not that of the rule, or there is no rule of that/)
    assert.ok(wrong.error.message.endsWith(wrong.error.hint), wrong.error.message)
    const unknown = await failed(hyco.relayedConnect(relay.sendUri('nothing'), relay.token()))
    assert.match(unknown.error.hint, /Create the hybrid connection/)
    const nobody = await failed(hyco.relayedConnect('ws://127.0.0.1:1/$hc/hyco', 'token'))
    assert.match(nobody.error.hint, /is the local relay running/)
  })
})

describe('the end of an await using block', TIMEOUT, () => {
  it('closes a socket with 1000, whatever its state', async () => {
    const socket = hyco.relayedConnect(relay.sendUri('hyco'), relay.token())
    const accepted = once(server, 'connection')
    await once(socket, 'open')
    const end = closed((await accepted)[0])
    await socket[Symbol.asyncDispose]()
    assert.equal((await end).code, 1000)
    assert.equal(socket.readyState, hyco.CLOSED)
    await socket[Symbol.asyncDispose]()
    const connecting = hyco.relayedConnect(relay.sendUri('hyco'), relay.token())
    await connecting[Symbol.asyncDispose]()
    assert.equal(connecting.readyState, hyco.CLOSED)
  })
})
