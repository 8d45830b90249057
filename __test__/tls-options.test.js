'use strict'

const assert = require('node:assert/strict')
const { generateKeyPairSync } = require('node:crypto')
const { describe, it } = require('node:test')
const { rootCertificates } = require('node:tls')

const { flatTlsOptions, tlsSpec } = require('../lib/options/tls')
const { cert: certificate, key } = require('./support/certificate')
const refuses = require('./support/refuses')
const warnings = require('./support/warnings')

const TIMEOUT = { timeout: 300_000 }

describe('TLS options', TIMEOUT, () => {
  it('trust by default what Node trusts, read once', () => {
    const spec = tlsSpec(undefined)
    assert.ok(spec.ca.length > 50)
    assert.equal(spec.rejectUnauthorized, true)
    assert.equal(tlsSpec(null), spec)
    assert.equal(tlsSpec({ servername: 'x' }).ca, spec.ca)
  })

  it('take text and bytes, one or several', () => {
    for (const ca of [
      certificate,
      Buffer.from(certificate),
      [certificate, Buffer.from(certificate)],
    ]) {
      assert.equal(tlsSpec({ ca }).ca[0], certificate)
    }
    const spec = tlsSpec({ cert: certificate, key, rejectUnauthorized: false, servername: 'relay' })
    assert.equal(spec.cert, certificate)
    assert.match(spec.key, /^-----BEGIN PRIVATE KEY-----/)
    assert.equal(spec.rejectUnauthorized, false)
    assert.equal(spec.servername, 'relay')
  })

  it('open a key with its passphrase', () => {
    const { privateKey } = generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      privateKeyEncoding: {
        type: 'pkcs8',
        format: 'pem',
        cipher: 'aes-256-cbc',
        passphrase: 'psst',
      },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    })
    const spec = tlsSpec({ cert: certificate, key: privateKey, passphrase: 'psst' })
    assert.match(spec.key, /^-----BEGIN PRIVATE KEY-----/)
    refuses(() => tlsSpec({ cert: certificate, key: privateKey, passphrase: 'wrong' }), 'tls.key')
    refuses(() => tlsSpec({ cert: certificate, key: privateKey }), 'tls.key')
  })

  it('are refused by name', () => {
    refuses(() => tlsSpec({ ca: 'no PEM' }), 'tls.ca')
    refuses(() => tlsSpec({ ca: [5] }), 'tls.ca')
    refuses(() => tlsSpec({ cert: 'no PEM', key }), 'tls.cert')
    refuses(() => tlsSpec({ cert: certificate }), 'tls')
    refuses(() => tlsSpec({ rejectUnauthorized: 0 }), 'tls.rejectUnauthorized')
    refuses(() => tlsSpec({ servername: 5 }), 'tls.servername')
  })

  it('are refused by name where any certificate of several cannot be read', () => {
    const cut = certificate.slice(0, certificate.length / 2)
    const garbled = certificate.replace(/^MII/m, 'AAA')
    for (const bad of [cut, garbled]) {
      for (const ca of [[certificate, bad], [Buffer.from(bad)], `${certificate}\n${bad}`]) {
        refuses(() => tlsSpec({ ca }), 'tls.ca')
      }
      refuses(() => tlsSpec({ cert: `${certificate}\n${bad}`, key }), 'tls.cert')
    }
    assert.throws(() => tlsSpec({ ca: `${certificate}\n${cut}` }), /number 2 of 2 cannot be read/)
    // What stands around them is for people.
    const noted = `# mine\n${certificate}\n# another\n${certificate}\n# the end`
    assert.equal(tlsSpec({ ca: noted }).ca[0], noted)
  })

  it('are warned of by name where they have no effect', async () => {
    const messages = await warnings(() => {
      tlsSpec({ ca: certificate, minVersion: 'TLSv1.3', checkServerIdentity() {} })
      tlsSpec({ ca: certificate, minVersion: 'TLSv1.3', servername: undefined })
    })
    assert.deepEqual(
      messages.filter((message) => message.includes(' of tls ')),
      ['minVersion', 'checkServerIdentity'].map(
        (name) => `the option '${name}' of tls has no effect`,
      ),
    )
  })

  it('are read again when the program has changed them in place', () => {
    const [other, third] = rootCertificates
    const bytes = Buffer.from(certificate)
    const options = { ca: [certificate, bytes] }
    const first = tlsSpec(options)
    assert.equal(tlsSpec(options), first)
    options.ca[0] = other
    const second = tlsSpec(options)
    assert.notDeepEqual(second.ca, first.ca)
    options.ca.push(third)
    const longer = tlsSpec(options)
    assert.notDeepEqual(longer.ca, second.ca)
    options.ca = Buffer.from(certificate)
    const single = tlsSpec(options)
    assert.notDeepEqual(single.ca, longer.ca)
    options.ca = Buffer.from(certificate)
    assert.equal(tlsSpec(options), single, 'equal bytes')
  })

  it('are read once more when 16 others were used since', () => {
    const use = (name) => tlsSpec({ ca: certificate, servername: name })
    const first = use('first')
    for (let n = 0; n < 15; n++) use(`other${n}`)
    assert.equal(use('first'), first, 'the last of 16')
    for (let n = 0; n < 16; n++) use(`other${n}`)
    assert.notEqual(use('first'), first)
  })

  it('may stand among the options of a connection, as in ws', () => {
    assert.equal(flatTlsOptions({ headers: {} }), undefined)
    assert.deepEqual(flatTlsOptions({ ca: 'a', rejectUnauthorized: false, id: 'x' }), {
      ca: 'a',
      rejectUnauthorized: false,
    })
  })
})
