'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { readFileSync } = require('node:fs')
const { join } = require('node:path')
const { after, before, describe, it } = require('node:test')

const hyco = require('..')
const TestRelay = require('./support/relay')

const page = readFileSync(join(__dirname, '..', 'docs', 'migrating-from-hyco-ws.md'), 'utf8')

/** The headings of the page, each with the programs below it: what a diff leaves and adds. */
const programs = page.split(/^##+ /m).flatMap((section) => {
  const [heading] = section.split('\n', 1)
  return Array.from(section.matchAll(/^```diff\n([^]*?)^```$/gm), ([, diff]) => ({
    heading,
    before: side(diff, '-'),
    after: side(diff, '+'),
  }))
})

/** One side of a diff. */
function side(diff, sign) {
  const lines = diff.split('\n').filter((line) => line.startsWith(' ') || line.startsWith(sign))
  return lines.map((line) => line.slice(1)).join('\n')
}

describe('the page about coming from hyco-ws', { timeout: 120_000 }, () => {
  let relay

  before(async () => {
    relay = await TestRelay.start({ hybridConnections: ['hyco'], maxListeners: 1 })
  })

  after(() => relay.close())

  it('has a program for every difference', () => {
    assert.ok(programs.length > 12, `${programs.length}`)
    for (const { heading, before, after } of programs) assert.notEqual(before, after, heading)
  })

  for (const { heading, after: program } of programs.slice(1)) {
    it(`has a program that runs: ${heading}`, async () => {
      const servers = []
      const remember = (server) => {
        servers.push(server)
        return server
      }
      const WebSocket = Object.create(hyco, {
        createRelayedServer: { value: (...args) => remember(hyco.createRelayedServer(...args)) },
        Server: {
          value: function Server(options) {
            return remember(new hyco.Server(options))
          },
        },
      })
      const { keyName, key } = relay.emulator
      const log = { error() {}, log() {} }
      const names = ['WebSocket', 'ns', 'path', 'keyrule', 'key', 'console']
      // The program is that of the page, and nothing else.
      const run = new Function(...names, program)
      run(WebSocket, relay.namespace, 'hyco', keyName, key, log)
      assert.equal(servers.length, 1)
      const [server] = servers
      try {
        await once(server, 'listening')
        const accepted = once(server, 'connection')
        const sender = connect(server)
        const [peer] = await accepted
        assert.equal(sender.readyState <= 1, true)
        peer.terminate()
      } finally {
        await new Promise((resolve) => server.close(resolve))
      }
    })
  }

  /** Connects a sender to a server of a program. */
  function connect(server) {
    if (server instanceof hyco.Server) {
      return new hyco.WebSocket(`ws://127.0.0.1:${server.address().port}`).on('error', () => {})
    }
    const options = { headers: { 'X-Name': 'ada' }, protocols: ['chat'] }
    const sender = hyco.relayedConnect(relay.sendUri('hyco'), relay.token(), options)
    return sender.on('error', () => {})
  }
})
