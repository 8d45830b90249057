'use strict'

const { once } = require('node:events')
const { after, before, describe, it } = require('node:test')

const hyco = require('..')
const Program = require('./support/children')
const TestRelay = require('./support/relay')

let relay
let server

before(async () => {
  relay = await TestRelay.start()
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
