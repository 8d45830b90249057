'use strict'

const assert = require('node:assert/strict')
const { execFile } = require('node:child_process')
const { mkdtempSync, rmSync, writeFileSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const { after, before, describe, it } = require('node:test')
const certificate = require('./support/certificate')
const TestRelay = require('./support/relay')

const TIMEOUT = { timeout: 300_000 }

/** Listens, sends, and says what came of each; `OPTIONS` are the TLS options. */
const PROGRAM = `
const hyco = require(process.env.PACKAGE)
const tls = JSON.parse(process.env.OPTIONS)
const { LISTEN_URI: server, SEND_URI: address, TOKEN: token } = process.env
const outcome = {}
const said = (name, word) => {
  outcome[name] = word
  if (outcome.listener && outcome.sender) {
    console.log(JSON.stringify(outcome))
    process.exit()
  }
}
const listener = hyco.createRelayedServer({ server, token, tls, reconnect: false })
listener.on('listening', () => said('listener', 'open'))
listener.on('error', (error) => said('listener', error.code))
const sender = hyco.relayedConnect(address, token, { tls })
sender.on('error', (error) => said('sender', error.code))
sender.on('open', () => said('sender', 'open'))
`

const OPEN = { listener: 'open', sender: 'open' }
const REFUSED = { listener: 'HYCO_ERR_TLS', sender: 'HYCO_ERR_TLS' }

describe('whom a program trusts, as with Node', TIMEOUT, () => {
  const folder = mkdtempSync(join(tmpdir(), 'hyco-rs-'))
  const ca = join(folder, 'ca.pem')
  let relay
  let helper

  before(async () => {
    relay = await TestRelay.start({ tls: true, hybridConnections: ['hyco'] })
    writeFileSync(ca, relay.ca)
    const hyco = require('..')
    helper = hyco.createRelayedServer({
      server: relay.listenUri('hyco'),
      token: relay.token(),
      tls: { ca: relay.ca },
    })
    await new Promise((resolve) => helper.once('listening', resolve))
  })

  after(async () => {
    await new Promise((resolve) => helper.close(resolve))
    await relay.close()
    rmSync(folder, { recursive: true })
  })

  /** What a process with this environment gets. */
  const outcome = async (environment, options = {}) => {
    const env = { ...process.env, ...environment }
    Object.assign(env, {
      LISTEN_URI: relay.listenUri('hyco'),
      OPTIONS: JSON.stringify(options),
      PACKAGE: require.resolve('..'),
      SEND_URI: relay.sendUri('hyco'),
      TOKEN: relay.token(),
    })
    return new Promise((resolve, reject) => {
      execFile(process.execPath, ['-e', PROGRAM], { env, timeout: 60_000 }, (error, out) =>
        error ? reject(error) : resolve(JSON.parse(out)),
      )
    })
  }

  const nothing = { NODE_EXTRA_CA_CERTS: '', NODE_TLS_REJECT_UNAUTHORIZED: '1' }

  /** Compares what became of the listener and the sender. */
  const expect = async (environment, options, wanted) => {
    const { listener, sender } = await outcome({ ...nothing, ...environment }, options)
    assert.deepEqual({ listener, sender }, wanted)
  }

  it('does not trust a relay whose certificate nobody vouches for', () => expect({}, {}, REFUSED))

  it('trusts what NODE_EXTRA_CA_CERTS names', () => expect({ NODE_EXTRA_CA_CERTS: ca }, {}, OPEN))

  it('trusts tls.ca alone where it is given, whatever NODE_EXTRA_CA_CERTS names', async () => {
    await expect({ NODE_EXTRA_CA_CERTS: ca }, { ca: certificate.ca }, REFUSED)
    await expect({}, { ca: relay.ca }, OPEN)
  })

  it('goes on without a file of NODE_EXTRA_CA_CERTS that cannot be read', async () => {
    await expect({ NODE_EXTRA_CA_CERTS: join(folder, 'none.pem') }, {}, REFUSED)
    await expect({ NODE_EXTRA_CA_CERTS: join(folder, 'none.pem') }, { ca: relay.ca }, OPEN)
  })

  it('trusts everybody with NODE_TLS_REJECT_UNAUTHORIZED=0, and only with 0', async () => {
    await expect({ NODE_TLS_REJECT_UNAUTHORIZED: '0' }, {}, OPEN)
    await expect({ NODE_TLS_REJECT_UNAUTHORIZED: 'false' }, {}, REFUSED)
  })

  it('lets tls.rejectUnauthorized decide before NODE_TLS_REJECT_UNAUTHORIZED', async () => {
    await expect({ NODE_TLS_REJECT_UNAUTHORIZED: '0' }, { rejectUnauthorized: true }, REFUSED)
    await expect({}, { rejectUnauthorized: false }, OPEN)
  })
})
