'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const http = require('node:http')
const https = require('node:https')
const { describe, it } = require('node:test')
const { setTimeout: sleep } = require('node:timers/promises')

const HttpSetting = require('./support/http-server')

/** More than all that is between a server and its sender holds. */
const SIZE = 48_000_000

/** Smaller than what is sent together, so that a connection is full at the end of it, too. */
const PIECE = Buffer.alloc(20_000, 1)

/** Writes an answer piece by piece, as its connection takes it. */
async function answer(_, res) {
  for (let left = SIZE; left > 0; left -= PIECE.length) {
    if (!res.write(PIECE)) await once(res, 'drain')
  }
  res.end()
}

describe('an answer to a sender that takes it in its time', { timeout: 120_000 }, () => {
  for (const tls of [false, true]) {
    it(`comes to its end ${tls ? 'over TLS' : 'without TLS'}`, async () => {
      const setting = await HttpSetting.start({}, tls ? { tls } : {})
      setting.server.on('request', answer)
      const request = (tls ? https : http).get(setting.url, {
        ca: setting.relay.ca,
        agent: false,
      })
      const [response] = await once(request, 'response')
      let [seen, rest] = [0, 0]
      for await (const chunk of response) {
        seen += chunk.length
        // The connections before it fill up meanwhile, each time to another byte.
        if (seen - rest > SIZE / 16) {
          rest = seen
          await sleep(100)
        }
      }
      assert.equal(seen, SIZE)
      await setting.close()
    })
  }
})
