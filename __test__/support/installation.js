'use strict'

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')

const root = path.join(__dirname, '..', '..')
const SHIPPED = [
  'index.js',
  'index.mjs',
  'lib',
  'package.json',
  'native/binding.js',
  'native/stamp.js',
]

/** The binary that the tests use, wherever it was built. */
const addon = () => Object.keys(require.cache).find((name) => /hyco-rs\..*\.node$/.test(name))

/**
 * A folder in which the package is installed as npm does it, without its binary.
 */
class Installation {
  constructor() {
    this.folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'hyco-rs-')))
    this.package = path.join(this.folder, 'node_modules', 'hyco-rs')
    for (const name of SHIPPED) {
      fs.cpSync(path.join(root, name), path.join(this.package, name), { recursive: true })
    }
    const ws = path.dirname(require.resolve('ws/package.json'))
    fs.cpSync(ws, path.join(this.folder, 'node_modules', 'ws'), { recursive: true })
  }

  /**
   * Installs the package of a platform.
   *
   * @param {String} platform `linux-x64-gnu` and so on
   * @param {Buffer} [binary] What is in its binary
   * @return {String} The folder
   */
  addPlatform(platform, binary = fs.readFileSync(addon())) {
    const folder = path.join(this.folder, 'node_modules', `hyco-rs-${platform}`)
    fs.cpSync(path.join(root, 'npm', platform), folder, { recursive: true })
    fs.writeFileSync(path.join(folder, `hyco-rs.${platform}.node`), binary)
    return folder
  }

  /** Writes a file, as text or from an object. */
  write(name, content) {
    const file = path.join(this.folder, name)
    fs.mkdirSync(path.dirname(file), { recursive: true })
    fs.writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content))
    return file
  }

  /**
   * Loads the package in a process of its own.
   *
   * @param {Object} [options]
   * @param {String[]} [options.flags] Flags of Node
   * @param {Object} [options.env] More environment variables
   * @param {Object} [options.process] What `process` pretends to be: `platform`, `arch`
   * @param {String} [options.program] The file that loads it
   * @return {{loaded: Boolean, code: String, message: String, cause: Object}}
   */
  load({ flags = [], env = {}, process: pretended = {}, program } = {}) {
    const script = program ?? this.write('load.js', LOADS)
    const { stdout, stderr } = spawnSync(process.execPath, [...flags, script], {
      cwd: this.folder,
      encoding: 'utf8',
      env: { ...process.env, ...env, PRETENDED: JSON.stringify(pretended) },
      timeout: 300_000,
    })
    if (stdout === '') throw new Error(`the program wrote nothing: ${stderr}`)
    return JSON.parse(stdout)
  }

  remove() {
    fs.rmSync(this.folder, { recursive: true, force: true })
  }
}

const LOADS = `
for (const [name, value] of Object.entries(JSON.parse(process.env.PRETENDED))) {
  Object.defineProperty(process, name, { value })
}
try {
  require('hyco-rs')
  console.log(JSON.stringify({ loaded: true }))
} catch (error) {
  const { code, message, cause } = error
  console.log(JSON.stringify({
    loaded: false, code, message, cause: cause && { code: cause.code, message: cause.message },
  }))
}
`

module.exports = { Installation, addon, LOADS }
