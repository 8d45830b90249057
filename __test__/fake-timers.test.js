'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { after, before, describe, it } = require('node:test')

const hyco = require('..')
const Program = require('./support/children')
const TestRelay = require('./support/relay')

let relay
let server

before(async () => {
  relay = await TestRelay.start({ hybridConnections: ['hyco', 'served'] })
  const options = { server: relay.listenUri('hyco'), token: relay.token() }
  server = hyco.createRelayedServer(options, (socket) => {
    socket.on('message', (data, isBinary) => {
      for (let n = 0; n < Number(data); n++) socket.send(data, { binary: isBinary })
    })
  })
  await once(server, 'listening')
})

after(async () => {
  await new Promise((resolve) => server.close(resolve))
  await relay.close()
})

const kinds = {
  setImmediate: 'mock.timers of setImmediate',
  mock: 'mock.timers of everything',
  all: 'fakes of all timers, ticks and clocks that call nobody',
  before: 'fakes that were there before the package was loaded, and know what they stand for',
}

describe('sockets go on with fake timers', { timeout: 300_000 }, () => {
  for (const [kind, name] of Object.entries(kinds)) {
    it(name, { timeout: 300_000 }, async (t) => {
      const program = new Program('fake-timers', {
        args: [kind, relay.sendUri('hyco'), relay.token()],
      })
      t.after(() => program.end())
      await program.says('went on')
    })
  }
})

describe('HTTP goes on with fake timers', { timeout: 90_000 }, () => {
  it('fakes of all timers, microtasks and ticks of a sandbox, that call nobody', async (t) => {
    const program = new Program('fake-timers-http', {
      args: [relay.listenUri('served'), relay.token()],
    })
    t.after(() => program.end())
    await program.says('listening')
    const url = `${relay.namespace.replace(/^ws/, 'http')}/served`
    const ask = async (body) => {
      const headers = { ServiceBusAuthorization: relay.token() }
      const response = await fetch(url, { method: 'POST', headers, body })
      return response.text()
    }
    const large = 'x'.repeat(300_000)
    for (const body of ['small', large, 'again']) assert.equal(await ask(body), body)
    program.tell('end')
    await program.says('went on')
  })
})
