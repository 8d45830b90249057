'use strict'

// Options that the native side alone acts on.

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { test } = require('node:test')
const { setTimeout: sleep } = require('node:timers/promises')

const hyco = require('..')
const HttpSetting = require('./support/http-server')
const ScriptedRelay = require('./support/scripted-relay')

const { until } = HttpSetting

const TIMEOUT = { timeout: 120_000 }

test('a responseTimeout of 0 waits for an answer as long as it takes', TIMEOUT, async (t) => {
  const handle = async () => {
    await sleep(50)
    return new Response('late')
  }
  const setting = await HttpSetting.start({ fetch: handle, responseTimeout: 0 })
  t.after(() => setting.close())
  const response = await setting.request('')
  assert.deepEqual([response.statusCode, String(response.body)], [200, 'late'])
})

for (const [setCookie, seen] of [
  ['first', ['a=1']],
  ['variants', ['a=1', 'b=2']],
]) {
  test(`of two cookies setCookie '${setCookie}' sends ${seen}`, TIMEOUT, async (t) => {
    const handle = () => {
      const headers = new Headers()
      headers.append('set-cookie', 'a=1')
      headers.append('set-cookie', 'b=2')
      return new Response('', { headers })
    }
    const setting = await HttpSetting.start({ fetch: handle, setCookie })
    t.after(() => setting.close())
    const { headers } = await setting.request('')
    assert.deepEqual(headers['set-cookie'], seen)
  })
}

test('the second key of a rule signs tokens as the first one does', TIMEOUT, async (t) => {
  const rule = { keyName: 'both', key: 'first', secondaryKey: 'second', rights: ['Listen'] }
  const relay = await hyco.startRelayEmulator({ hybridConnections: ['hyco'], rules: [rule] })
  t.after(() => relay.close())
  const uri = `${relay.namespace}/$hc/hyco`
  for (const key of ['first', 'second']) {
    const token = hyco.createRelayToken(uri, 'both', key)
    const server = new hyco.RelayedServer({ server: `${uri}?sb-hc-action=listen`, token })
    await once(server, 'listening')
    await server.close()
  }
})

test('beyond maxConcurrentDials a sender is refused with 503, and told', TIMEOUT, async (t) => {
  const relay = await ScriptedRelay.start()
  t.after(() => relay.close())
  const options = { server: relay.listenUri, token: 'a', maxConcurrentDials: 1 }
  const server = new hyco.RelayedServer(options)
  t.after(() => server.close())
  const codes = []
  server.on('acceptError', ({ code }) => codes.push(code))
  await once(server, 'listening')
  relay.holdsAccepts = true
  const met = await Promise.all([relay.announce(), relay.announce()])
  const statuses = met.map(({ url }) => url.searchParams.get('sb-hc-statusCode'))
  assert.deepEqual(statuses.sort(), ['503', null])
  await until(() => codes.length > 0, "an 'acceptError'")
  assert.deepEqual(codes, ['HYCO_ERR_BUSY'])
})
