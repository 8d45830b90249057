'use strict'

const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { afterEach, beforeEach, describe, it } = require('node:test')
require('..')
const { Installation, LOADS, addon } = require('./support/installation')

const TIMEOUT = { timeout: 300_000 }

/** The platform of this machine, from the name of its binary. */
const platform = path.basename(addon()).split('.')[1]
const onGlibc = platform.endsWith('-gnu')
const permission = ['--permission', '--experimental-permission'].find((flag) =>
  process.allowedNodeEnvironmentFlags.has(flag),
)

describe('loading the binary', TIMEOUT, () => {
  let installed

  beforeEach(() => {
    installed = new Installation()
  })

  afterEach(() => installed.remove())

  /** The error begins with the code's cause and ends with a remedy. */
  const refused = (options, what, remedy) => {
    const outcome = installed.load(options)
    assert.equal(outcome.loaded, false)
    assert.equal(outcome.code, 'HYCO_ERR_NATIVE_BINDING', outcome.message)
    const [first, ...rest] = outcome.message.split('\n')
    assert.match(first, what)
    assert.match(rest.join('\n'), remedy)
    assert.doesNotMatch(outcome.message, /npm has a bug/)
    assert.ok(rest.length <= 3, 'it is short')
    return outcome
  }

  it('finds it in the package of the platform', () => {
    installed.addPlatform(platform)
    assert.deepEqual(installed.load(), { loaded: true })
  })

  const onLinux = process.platform === 'linux' ? false : 'only Linux has two C libraries'
  it('finds it where ldd belongs to another C library than Node', { skip: onLinux }, () => {
    installed.addPlatform(platform)
    const says = onGlibc ? 'musl libc' : 'GNU libc'
    const ldd = `
      const fs = require('node:fs')
      const { readFileSync } = fs
      fs.readFileSync = (file, ...rest) =>
        file === '/usr/bin/ldd' ? '${says}' : readFileSync(file, ...rest)`
    const program = installed.write('two-libcs.js', `${ldd}\n${LOADS}`)
    assert.deepEqual(installed.load({ program }), { loaded: true })
  })

  it('says that optional dependencies were left out', () => {
    const { cause } = refused(
      {},
      new RegExp(`the package hyco-rs-${platform} is not installed\\.$`),
      /optional dependency.*--omit=optional.*npm config get omit.*lock file/,
    )
    assert.equal(cause.code, 'MODULE_NOT_FOUND')
  })

  it('says that node_modules or the lock file came from another system', () => {
    installed.addPlatform('win32-arm64-msvc', Buffer.from('MZ'))
    refused(
      {},
      /is not installed, but hyco-rs-win32-arm64-msvc/,
      /another system.*Delete node_modules/,
    )
  })

  it('says that the package was bundled', () => {
    const bundled = installed.write('dist/bundle.js', LOADS.replace("'hyco-rs'", "'./lib/native'"))
    installed.write('dist/lib/x', '')
    for (const name of ['lib', 'native', 'package.json']) {
      fs.cpSync(path.join(installed.package, name), path.join(installed.folder, 'dist', name), {
        recursive: true,
      })
    }
    refused({ program: bundled }, /bundled/, /external in your bundler/)
  })

  it('says that a clone is not built', () => {
    fs.writeFileSync(path.join(installed.package, 'Cargo.toml'), '')
    refused({}, /the clone is not built/, /npm run build/)
  })

  it('says which platforms there are, where there is no binary for this one', () => {
    refused(
      { process: { platform: 'sunos', arch: 'sparc' } },
      /on sunos-sparc: there is no prebuilt binary/,
      /darwin-arm64, darwin-x64, linux-arm64-gnu.*Rust/,
    )
  })

  it('says that the C library is too old, with the text of the system', { skip: !onGlibc }, () => {
    const binary = fs.readFileSync(addon())
    const wanted = binary.indexOf('GLIBC_2.')
    assert.ok(wanted > 0)
    for (let at = wanted; at > 0; at = binary.indexOf('GLIBC_2.', at + 1)) {
      binary.write('GLIBC_9.', at, 'latin1')
    }
    installed.addPlatform(platform, binary)
    const { cause } = refused(
      {},
      /C library is too old, GLIBC_9\.[\d.]+ is needed \(.*not found/,
      /newer glibc/,
    )
    assert.equal(cause.code, 'ERR_DLOPEN_FAILED')
  })

  it('says that the binary is for another system', () => {
    installed.addPlatform(platform, Buffer.from('MZ is what a library of Windows begins with'))
    const { cause } = refused({}, /made for another system|cannot be loaded/, /Delete node_modules/)
    assert.equal(cause.code, 'ERR_DLOPEN_FAILED')
  })

  it('says that the binary is for another processor', { skip: !onGlibc }, () => {
    const binary = fs.readFileSync(addon())
    binary.writeUInt16LE(243, 18) // RISC-V, in the head of an ELF file
    installed.addPlatform(platform, binary)
    refused({}, /made for another system/, /do not copy node_modules/)
  })

  it('says which flags of Node forbid it', () => {
    installed.addPlatform(platform)
    refused({ flags: ['--no-addons'] }, /may not load addons/, /--allow-addons/)
    if (permission === undefined) return // before Node 20
    const flags = [permission, '--allow-fs-read=*']
    refused({ flags }, /may not load addons/, /--allow-addons.*--permission/)
  })

  for (const [what, forbids] of [
    ['to load it', 'process.dlopen = deny'],
    ['to ask for the system', 'process.dlopen = process.report.getReport = deny'],
    [
      'to read variables',
      `process.dlopen = deny
      const { env } = process
      process.env = new Proxy(env, {
        get: (_, name) => (/^(NAPI_|WS_)/.test(name) ? deny() : env[name]),
      })`,
    ],
  ]) {
    it(`says what Deno has to allow, where it forbids ${what}`, () => {
      installed.addPlatform(platform)
      const deny = `function deny() {
        const error = new Error('Requires access to "x", run again with a flag')
        error.name = 'NotCapable'
        throw error
      }`
      const program = installed.write('deno.js', `${deny}\n${forbids}\n${LOADS}`)
      refused({ program }, /may not load addons/, /--allow-ffi.*--allow-env.*--allow-sys/)
    })
  }

  it('says that NAPI_RS_NATIVE_LIBRARY_PATH names no binary', () => {
    const env = { NAPI_RS_NATIVE_LIBRARY_PATH: path.join(installed.folder, 'nowhere.node') }
    refused({ env }, /NAPI_RS_NATIVE_LIBRARY_PATH names .*nowhere\.node/, /Unset/)
  })

  it('refuses a binary of another version', () => {
    installed.addPlatform(platform)
    const manifest = JSON.parse(fs.readFileSync(path.join(installed.package, 'package.json')))
    installed.write('node_modules/hyco-rs/package.json', { ...manifest, version: '99.0.0' })
    refused(
      {},
      new RegExp(
        `${platform}\\.node does not belong to hyco-rs 99.0.0: its version is ${manifest.version}`,
      ),
      /Delete node_modules/,
    )
  })

  it('refuses a binary of the same version that was built from other sources', () => {
    const binary = fs.readFileSync(addon())
    const stamp = require('../native/stamp')
    const at = binary.indexOf(stamp)
    assert.ok(at > 0, 'the binary carries the stamp')
    for (let each = at; each > 0; each = binary.indexOf(stamp, each + 1)) {
      binary.write('0'.repeat(stamp.length), each, 'latin1')
    }
    installed.addPlatform(platform, binary)
    refused({}, /does not belong to hyco-rs .*: it was built from other sources/, /npm install/)
    fs.writeFileSync(path.join(installed.package, 'Cargo.toml'), '')
    refused({}, /it was built from other sources/, /npm run build.*in the clone/)
  })

  it('refuses a binary from before there were versions, and one that lacks an export', () => {
    const { version } = require('../package.json')
    const stale = installed.write('stale.js', 'module.exports = {}')
    refused(
      { env: { NAPI_RS_NATIVE_LIBRARY_PATH: stale } },
      /its version is older/,
      /Delete node_modules/,
    )
    const partial = installed.write('partial.js', `exports.VERSION = '${version}'`)
    refused(
      { env: { NAPI_RS_NATIVE_LIBRARY_PATH: partial } },
      /it has no '\w+'/,
      /Delete node_modules/,
    )
  })
})
