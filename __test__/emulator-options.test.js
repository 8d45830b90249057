'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { readFileSync } = require('node:fs')
const { join } = require('node:path')
const { describe, it } = require('node:test')

const { startRelayEmulator } = require('..')
const { OPTIONS, emulatorSpec } = require('../lib/emulator/options')

const read = (...path) => readFileSync(join(__dirname, '..', ...path), 'utf8')

describe('options of startRelayEmulator', { timeout: 300_000 }, () => {
  it('are warned of by name where they have no effect, at every depth', async () => {
    const expected = [
      "the option 'prot' of startRelayEmulator has no effect",
      "the option 'ca' of startRelayEmulator tls has no effect",
      "the option 'anonymous' of startRelayEmulator hybridConnections has no effect",
      "the option 'right' of startRelayEmulator hybridConnections.rules has no effect",
      "the option 'name' of startRelayEmulator rules has no effect",
    ]
    const warnings = new Set()
    const listen = ({ code, message }) => {
      if (code === 'HYCO_WARN_UNKNOWN_OPTION') warnings.add(message)
      if (warnings.size === expected.length) process.emit('hyco-rs-test-warned')
    }
    process.on('warning', listen)
    try {
      const all = once(process, 'hyco-rs-test-warned')
      const relay = await startRelayEmulator({
        prot: 1,
        acceptTimeot: undefined,
        tls: { ca: 'x' },
        hybridConnections: [
          { path: 'hyco', anonymous: true, rules: [{ keyName: 'one', key: 'x', right: 'Send' }] },
        ],
        rules: [{ keyName: 'two', key: 'y', name: 'two' }],
      })
      await all
      await relay.close()
    } finally {
      process.off('warning', listen)
    }
    assert.deepEqual([...warnings].sort(), [...expected].sort())
  })

  it('that contradict each other are refused by a TypeError, whichever side sees it', async () => {
    for (const [options, name] of [
      [{ tlsPort: 0 }, 'tlsPort'],
      [{ port: -1 }, 'port'],
      [{ publicUrl: 'no address' }, 'publicUrl'],
    ]) {
      await assert.rejects(startRelayEmulator(options), (error) => {
        assert.ok(error instanceof TypeError, `${error}`)
        assert.equal(error.code, 'HYCO_ERR_INVALID_OPTION')
        assert.match(error.message, new RegExp(name))
        return true
      })
    }
  })

  it('are all in the types and in docs/emulator.md', () => {
    const types = /interface RelayEmulatorOptions \{(.*?)\n {2}\}/s.exec(read('index.d.ts'))[1]
    const guide = read('docs', 'emulator.md').split('What it resolves with:')[0]
    for (const name of OPTIONS) {
      assert.match(types, new RegExp(`^ {4}${name}\\?:`, 'm'), `${name} in index.d.ts`)
      assert.ok(guide.includes(`\`${name}\``), `${name} in docs/emulator.md`)
    }
  })
  it('have the defaults that docs/emulator.md tells', () => {
    const [, guide] = /An option that has no effect(.*?)What it resolves with:/s.exec(
      read('docs', 'emulator.md'),
    )
    const { clockSkew: clockSkewSeconds, ...spec } = emulatorSpec()
    const used = { ...spec, clockSkewSeconds }
    const told = {}
    for (const row of guide.split('\n').filter((line) => line.startsWith('| `'))) {
      const [names, , values] = row.slice(2, -2).split(' | ')
      const defaults = [...values.matchAll(/`([^`]+)`/g)].map(([, value]) => value)
      for (const [n, [, name]] of [...names.matchAll(/`(\w+)`/g)].entries()) {
        if (/^(\d+|true|false)$/.test(defaults[n])) told[name] = JSON.parse(defaults[n])
      }
    }
    const plain = Object.entries(used).filter(([, value]) => /number|boolean/.test(typeof value))
    assert.deepEqual(told, { ...Object.fromEntries(plain), tls: false })
  })
})
