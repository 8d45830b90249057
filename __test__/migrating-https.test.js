'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { readFileSync } = require('node:fs')
const { join } = require('node:path')
const { after, before, describe, it } = require('node:test')

const hyco = require('..')
const https = require('../https')
const TestRelay = require('./support/relay')

const page = readFileSync(join(__dirname, '..', 'docs', 'migrating-from-hyco-https.md'), 'utf8')

/** The programs below each heading: what a diff leaves and adds. */
const programs = page.split(/^### /m).flatMap((section) => {
  const [heading] = section.split('\n', 1)
  return Array.from(section.matchAll(/^```diff\n([^]*?)^```$/gm), ([, diff]) => ({
    heading,
    program: diff
      .split('\n')
      .filter((line) => /^[ +]/.test(line))
      .map((line) => line.slice(1))
      .join('\n'),
  }))
})

/** What else a page promises of a response. */
const PROMISES = {
  'Bodies come in pieces': async (response) => assert.equal(await response.text(), '100000 bytes'),
  'All cookies arrive': (response) =>
    assert.deepEqual(response.headers.getSetCookie(), ['session=1', 'theme=dark']),
  Counting: async (response) => assert.equal(await response.text(), '1'),
}

describe('the page about coming from hyco-https', { timeout: 120_000 }, () => {
  let relay

  before(async () => {
    relay = await TestRelay.start({ hybridConnections: ['hyco'], maxListeners: 1 })
  })

  after(() => relay.close())

  it('begins with the line that changes', () => {
    assert.equal(programs[0].program.trim(), "const https = require('hyco-rs/https')")
    assert.equal(require('hyco-rs/https'), https)
    assert.ok(programs.length >= 10)
  })

  for (const { heading, program } of programs.slice(1)) {
    it(`has a program that serves: ${heading}`, async () => {
      const servers = []
      const names = {
        https: Object.create(https, {
          createRelayedServer: {
            value: (...args) => {
              servers.push(https.createRelayedServer(...args))
              return servers.at(-1)
            },
          },
        }),
        express: require('express'),
        ns: relay.namespace,
        path: 'hyco',
        keyrule: relay.emulator.keyName,
        key: relay.emulator.key,
        console: { log() {} },
      }
      // The program is that of the page, and nothing else.
      new Function(...Object.keys(names), program)(...Object.values(names))
      const [server] = servers
      const closed = once(server, 'close')
      try {
        await once(server, 'listening')
        if (heading === 'Closing') return // which it has done
        const url = hyco
          .createRelaySendUri(relay.namespace, 'hyco')
          .replace('ws:', 'http:')
          .replace('/$hc', '')
        const response = await fetch(url.split('?')[0], {
          method: heading.startsWith('Bodies') ? 'POST' : 'GET',
          headers: { ServiceBusAuthorization: relay.token() },
          ...(heading.startsWith('Bodies') && { body: Buffer.alloc(100_000) }),
        })
        assert.equal(response.status, 200)
        if (heading in PROMISES) await PROMISES[heading](response)
        else await response.arrayBuffer()
      } finally {
        server.close()
        await closed
      }
    })
  }
})
