'use strict'

const { createRequire } = require('node:module')
const { existsSync } = require('node:fs')
const path = require('node:path')
const { optionalDependencies, version } = require('../package.json')
const { NATIVE_BINDING, createError } = require('./errors')

/** The packages of the prebuilt binaries, `hyco-rs-linux-x64-gnu` and so on. */
const PACKAGES = Object.keys(optionalDependencies)

/** Whether this file runs from a bundle, and not from the folder of the package. */
const BUNDLED = typeof __filename !== 'string' || path.basename(__filename) !== 'native-failure.js'

const DOCUMENT = 'docs/errors.md#hyco_err_native_binding tells more.'

/**
 * Loads the addon where the generated loader could not, or finds out why. That loader asks the system's
 * `ldd` which C library there is, and a machine can have two, such as Alpine with a Node for glibc. The
 * process knows its own, and by that npm has chosen the package.
 *
 * @param {Error} error What the generated loader threw; it names npm, whatever the cause was
 * @return {Object} The addon
 * @throws {Error} that begins with the cause and says what to do
 */
function loadAgain(error) {
  const target = thisTarget()
  const override = isDenied(error) ? undefined : overridden()
  const { addon, errors } = attempt(target)
  if (addon !== undefined && override === undefined) return addon
  const real = isDenied(error) ? error : errors.find(({ code }) => code !== 'MODULE_NOT_FOUND')
  const cause = real ?? errors.at(-1) ?? error
  const [what, remedy] = override ?? (real ? ofBrokenBinary(real, target) : ofMissing(target))
  throw failure(target, what, remedy, cause)
}

/**
 * Makes the error for a binary that can be loaded, and belongs to another build of the package.
 *
 * @param {String} difference How that is known
 * @return {Error}
 */
function otherBuild(difference) {
  const file = Object.keys(require.cache ?? {}).find((name) => /hyco-rs\..*\.node$/.test(name))
  const what = `the binary ${file ?? ''} does not belong to hyco-rs ${version}: ${difference}`
  const remedy = isClone()
    ? "Run 'npm run build' in the clone."
    : "Delete node_modules and run 'npm install', so that the package and its binary have one version."
  return failure(thisTarget(), what.replace('  ', ' '), remedy)
}

function failure(target, what, remedy, cause) {
  const message = `hyco-rs cannot start on ${target}: ${what}.\n${remedy}\n${DOCUMENT}`
  return createError(NATIVE_BINDING, message, { cause })
}

/** This platform as the packages are named, whether there is a package for it or not. */
function thisTarget() {
  const base = `${process.platform}-${process.arch}`
  if (process.platform === 'win32') return `${base}-msvc`
  return process.platform === 'linux' ? `${base}-${isMusl() ? 'musl' : 'gnu'}` : base
}

function isMusl() {
  let report
  try {
    report = process.report?.getReport?.()
  } catch (error) {
    // Deno may forbid it; what else it forbids is told when the binary is loaded.
    if (!isDenied(error)) throw error
  }
  const header = (typeof report === 'string' ? JSON.parse(report) : report)?.header
  return header !== undefined && header.glibcVersionRuntime === undefined
}

/** Whether Deno has forbidden something. */
function isDenied({ message, name }) {
  return name === 'NotCapable' || name === 'PermissionDenied' || /--allow-ffi/.test(message)
}

/** Tries both places again: the `addon`, or the `errors`, of which the generated loader keeps texts only. */
function attempt(target) {
  const errors = []
  if (BUNDLED) return { errors }
  for (const place of [`../native/hyco-rs.${target}.node`, `hyco-rs-${target}`]) {
    try {
      return { addon: load(place), errors }
    } catch (error) {
      errors.push(error)
    }
  }
  return { errors }
}

/** `require`, hidden from bundlers: what is looked for here is not known when they run. */
function load(place) {
  return createRequire(__filename)(place)
}

function overridden() {
  const file = process.env.NAPI_RS_NATIVE_LIBRARY_PATH
  if (!file) return undefined
  return [
    `NAPI_RS_NATIVE_LIBRARY_PATH names ${file}, which cannot be loaded`,
    'Unset that variable, or let it name the binary of this version.',
  ]
}

/** The binary is there, and the system or the runtime refuses it. */
function ofBrokenBinary(error, target) {
  const { code, message } = error
  const text = String(message).split('\n', 1)[0]
  const glibc = /version [`'](GLIBC_[\d.]+)' not found/.exec(message)
  if (glibc) {
    return [
      `this system's C library is too old, ${glibc[1]} is needed (${text})`,
      'Use a system with a newer glibc (the prebuilt binary needs 2.17), or build hyco-rs on this one.',
    ]
  }
  if (code === 'ERR_DLOPEN_DISABLED') {
    return [
      'this process may not load addons',
      "Start Node with '--allow-addons' beside '--permission', and without '--no-addons'.",
    ]
  }
  if (code === 'ERR_ACCESS_DENIED') {
    return [
      `this process may not read the binary (${text})`,
      "Start Node with '--allow-fs-read' for the folder of hyco-rs, and with '--allow-addons'.",
    ]
  }
  if (isDenied(error)) {
    return [
      `this process may not load addons (${text})`,
      "Start Deno with '--allow-ffi', '--allow-env', '--allow-read', '--allow-net' and '--allow-sys'.",
    ]
  }
  // For a file of another processor glibc says that there is none, and names it.
  const isAnother =
    /invalid ELF header|wrong ELF class|incompatible architecture|Win32 application/i.test(text) ||
    /\.node: cannot open shared object file: No such file/.test(text)
  if (isAnother) {
    return [
      `the binary was made for another system (${text})`,
      `Delete node_modules and run 'npm install' on this system; do not copy node_modules from another.`,
    ]
  }
  if (/ld-(linux|musl)|libc\.(musl|so: cannot)|shared library/i.test(text)) {
    return [
      `the binary and the C library of this system do not fit (${text})`,
      `Delete node_modules and run 'npm install' on this system, which needs hyco-rs-${target}.`,
    ]
  }
  return [`the binary cannot be loaded (${text})`, `Delete node_modules and run 'npm install'.`]
}

/** There is no binary for this platform. */
function ofMissing(target) {
  const wanted = `hyco-rs-${target}`
  if (!PACKAGES.includes(wanted)) {
    const known = PACKAGES.map((name) => name.replace('hyco-rs-', '')).join(', ')
    return [
      'there is no prebuilt binary for this platform',
      `There are binaries for ${known}. Elsewhere, build hyco-rs from its sources with Rust.`,
    ]
  }
  if (isBundled()) {
    return [
      'it was bundled, and a bundle does not contain the binary',
      "Mark 'hyco-rs' as external in your bundler and install it beside the bundle: docs/bundlers.md.",
    ]
  }
  if (isClone()) {
    return [
      'the clone is not built',
      "Run 'npm run build' in it, which needs Rust, or 'npm start', which does all that is missing.",
    ]
  }
  const others = PACKAGES.filter(isInstalled)
  if (others.length > 0) {
    return [
      `the package ${wanted} is not installed, but ${others.join(' and ')}`,
      'node_modules comes from another system, or the lock file was made by an npm that forgets ' +
        "other systems. Delete node_modules and run 'npm install'; if that does not help, delete the " +
        'lock file too.',
    ]
  }
  return [
    `the package ${wanted} is not installed`,
    "It is an optional dependency of hyco-rs. Install without '--omit=optional', '--no-optional' and " +
      "'ignore-optional' ('npm config get omit' shows the setting), and with a lock file that names " +
      `it: otherwise delete node_modules and the lock file, and run 'npm install'.`,
  ]
}

/** Bundlers that keep the names of files still leave the rest of the package behind. */
function isBundled() {
  return BUNDLED || !existsSync(inRoot('index.js'))
}

function isClone() {
  return !BUNDLED && existsSync(inRoot('Cargo.toml'))
}

function inRoot(name) {
  return path.join(__dirname, '..', name)
}

function isInstalled(name) {
  try {
    createRequire(__filename).resolve(`${name}/package.json`)
    return true
  } catch {
    return false
  }
}

module.exports = { loadAgain, otherBuild }
