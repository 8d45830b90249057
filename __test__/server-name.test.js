'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { describe, it } = require('node:test')
const tls = require('node:tls')

const hyco = require('..')
const { cert, key, ca } = require('./support/certificate')

const TIMEOUT = { timeout: 60_000 }

/** The name that a socket with these TLS options asks a server for; `false` is none. */
async function askedFor(options) {
  const server = tls.createServer({ cert, key })
  server.listen(0, 'localhost')
  await once(server, 'listening')
  const secure = once(server, 'secureConnection')
  const address = `wss://localhost:${server.address().port}/$hc/hyco`
  const socket = hyco.relayedConnect(address, null, { tls: { ca, ...options } })
  socket.on('error', () => {})
  const [{ servername }] = await secure
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.terminate()
  await closed
  server.close()
  return servername
}

describe('tls.servername', TIMEOUT, () => {
  it('is asked for, and without it the host of the address', async () => {
    assert.equal(await askedFor({}), 'localhost')
    assert.equal(
      await askedFor({ rejectUnauthorized: false, servername: 'relay.example' }),
      'relay.example',
    )
  })

  it('that is empty asks for none, and the host is still verified', async () => {
    assert.equal(await askedFor({ servername: '' }), false)
  })
})
