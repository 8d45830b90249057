// Packs the main package and the platforms whose binaries lie in npm/*, into target/pack: `npm run
// pack`. With `-- --try` it installs what it packed for this machine into an empty folder, with an
// empty HOME and no Rust, and runs the local relay, the demo, and the tests of every example and command
// there. `--try-only` takes what was packed before and runs no tests, `--try-published` what npm has.
// `-- --native` packs the binary that `npm run build` has made here, `-- --native --try` tries it; other
// platforms are packed without theirs, for a registry that has to know all of them.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { checkArtifact } from './artifacts.mjs'
import { readmeForNpm } from './readme.mjs'
import { tryTests } from './try-tests.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const home = join(root, 'target', 'pack')
const isWindows = process.platform === 'win32'
const manifest = JSON.parse(fs.readFileSync(join(root, 'package.json'), 'utf8'))

const flags = process.argv.slice(2)
const unknown = flags.filter((flag) => !/^--(?:native|try|try-only|try-published)$/.test(flag))
if (unknown.length > 0) fail(`it does not know ${unknown}`)

if (flags.includes('--native')) packNative()
else if (flags.length === 0 || flags.includes('--try')) pack()
if (flags.includes('--try') || flags.includes('--try-only')) {
  const names = [`hyco-rs-${thisPlatform()}`, 'hyco-rs']
  await tryPackages(names.map((name) => join(home, `${name}-${manifest.version}.tgz`)))
}
if (flags.includes('--try-published')) await tryPackages([`hyco-rs@${manifest.version}`])

function pack() {
  fs.rmSync(home, { recursive: true, force: true })
  fs.mkdirSync(home, { recursive: true })
  const platforms = fs
    .readdirSync(join(root, 'npm'))
    .filter((name) => fs.existsSync(binaryOf(name)))
  if (platforms.length === 0) fail("there is no binary in npm/*: run 'npm run build:platforms'")
  for (const name of platforms) {
    const outcome = checkArtifact(name, binaryOf(name))
    console.log(`pack: ${name}: ${outcome}`)
    if (outcome.startsWith('FAILED')) process.exit(1)
    run(process.execPath, [join(root, 'scripts', 'notices.mjs'), name])
    fs.copyFileSync(join(root, 'LICENSE'), join(root, 'npm', name, 'LICENSE'))
    npmPack(`./npm/${name}`)
  }
  packMain()
}

/** The main package, from a copy: its README is another one than that of the repository. */
function packMain() {
  const stage = join(home, 'stage')
  for (const path of filesOfMain()) fs.cpSync(join(root, path), join(stage, path))
  const readme = join(stage, 'README.md')
  const text = fs.readFileSync(readme, 'utf8')
  fs.writeFileSync(readme, readmeForNpm(text, manifest.repository.url, manifest.version))
  npmPack(stage)
  fs.rmSync(stage, { recursive: true })
}

/** What npm would pack. */
function filesOfMain() {
  const { stdout } = spawnSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: root,
    encoding: 'utf8',
    shell: isWindows,
  })
  const packed = JSON.parse(stdout)
  const [{ files }] = Array.isArray(packed) ? packed : Object.values(packed)
  return files.map(({ path }) => path)
}

function packNative() {
  fs.rmSync(home, { recursive: true, force: true })
  fs.mkdirSync(home, { recursive: true })
  const here = thisPlatform()
  const built = join(root, 'native', `hyco-rs.${here}.node`)
  if (!fs.existsSync(built)) fail("there is no binary in native/: run 'npm run build'")
  for (const name of fs.readdirSync(join(root, 'npm'))) {
    const stage = join(home, name)
    fs.mkdirSync(stage)
    fs.copyFileSync(join(root, 'npm', name, 'package.json'), join(stage, 'package.json'))
    if (name === here) fs.copyFileSync(built, join(stage, `hyco-rs.${name}.node`))
    npmPack(stage)
    fs.rmSync(stage, { recursive: true })
  }
  packMain()
}

function npmPack(folder) {
  run('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', home, folder])
}

function binaryOf(name) {
  return join(root, 'npm', name, `hyco-rs.${name}.node`)
}

/** What a new user does, on a machine that has Node and nothing else. */
async function tryPackages(packages) {
  const folder = fs.mkdtempSync(join(tmpdir(), 'hyco-rs-try-'))
  const here = thisPlatform()
  const nowhere = join(folder, 'home')
  const env = {
    ...(isWindows && process.env), // which needs many of them
    HOME: nowhere,
    PATH: isWindows ? process.env.PATH : pathWithoutRust(folder),
    npm_config_cache: npmSetting('cache'),
    npm_config_userconfig: npmSetting('userconfig'), // it may name a registry
  }
  fs.mkdirSync(nowhere)
  const app = join(folder, 'app')
  fs.mkdirSync(app)
  fs.writeFileSync(join(app, 'package.json'), '{ "private": true }\n')
  attempt('npm install', 'npm', ['install', '--no-audit', '--no-fund', ...packages])

  const installed = fs.readdirSync(join(app, 'node_modules')).filter((name) => name[0] !== '.')
  const wanted = ['@types', 'hyco-rs', `hyco-rs-${here}`, 'undici-types', 'ws']
  if (installed.join() !== wanted.join()) fail(`it installed ${installed}, and not just ${wanted}`)

  for (const [name, args] of Object.entries(commands())) attempt(name, 'npx', ['hyco-rs', ...args])
  await tryRelay()
  attempt('hyco-rs demo', 'npx', ['hyco-rs', 'demo'])
  if (flags.includes('--try')) {
    const { ok, output } = tryTests(app, env)
    console.log(`pack: every example and every command: ${ok ? 'ok' : 'FAILED'}, ${output}`)
    if (!ok) fail(`the tests do not pass. It is in ${folder}`)
  }
  fs.rmSync(folder, { recursive: true, force: true })
  console.log('pack: everything works without Rust')

  /** The local relay runs, answers and ends when it is asked to. */
  async function tryRelay() {
    const started = Date.now()
    const relay = spawn('npx', ['hyco-rs', 'emulator', '--port', '0', '--json'], {
      cwd: app,
      env,
      shell: isWindows,
      detached: !isWindows, // npx does not pass every signal on, so the whole group gets it
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ended = once(relay, 'exit')
    const deadline = setTimeout(
      () => fail('hyco-rs emulator was not ready in two minutes'),
      120_000,
    )
    const line = once(createInterface({ input: relay.stdout }), 'line')
    const said = await Promise.race([line, ended.then(() => undefined)])
    if (said === undefined) fail('hyco-rs emulator ended before it was ready')
    const seconds = ((Date.now() - started) / 1000).toFixed(1)
    const { port } = JSON.parse(said[0])
    const answer = await fetch(`http://127.0.0.1:${port}/$admin/health`)
    if (answer.status !== 200) fail(`hyco-rs emulator answered with ${answer.status}`)
    if (isWindows) spawnSync('taskkill', ['/pid', String(relay.pid), '/t', '/f'])
    else process.kill(-relay.pid, 'SIGTERM')
    await ended
    clearTimeout(deadline)
    console.log(`pack: hyco-rs emulator: ok, ready after ${seconds} s`)
  }

  function attempt(what, command, args) {
    const started = Date.now()
    const options = { cwd: app, env, encoding: 'utf8', shell: isWindows, timeout: 120_000 }
    const { status, stdout, stderr } = spawnSync(command, args, options)
    const seconds = ((Date.now() - started) / 1000).toFixed(1)
    console.log(`pack: ${what}: ${status === 0 ? 'ok' : 'FAILED'}, ${seconds} s`)
    if (status !== 0) fail(`${what} ended with ${status}\n${stdout}${stderr}\nIt is in ${folder}`)
  }
}

/** A PATH on which Rust fails: a machine may have it among the programs that a script needs. */
function pathWithoutRust(folder) {
  const broken = join(folder, 'bin')
  fs.mkdirSync(broken)
  for (const name of ['cargo', 'rustc']) {
    const script = `#!/bin/sh\necho 'pack: ${name} was called' >&2\nexit 127\n`
    fs.writeFileSync(join(broken, name), script, { mode: 0o755 })
  }
  return [broken, dirname(process.execPath), '/usr/bin', '/bin'].join(':')
}

/** The help of every command, so that each is loaded. */
function commands() {
  if (manifest.bin === undefined) return {}
  const help = spawnSync(process.execPath, [join(root, Object.values(manifest.bin)[0]), '--help'], {
    encoding: 'utf8',
  }).stdout
  const names = [...help.matchAll(/^ {2}([a-z]+) {2,}/gm)].map(([, name]) => name)
  return Object.fromEntries(names.map((name) => [`hyco-rs ${name} --help`, [name, '--help']]))
}

function thisPlatform() {
  const name = `${process.platform}-${process.arch}`
  if (process.platform === 'win32') return `${name}-msvc`
  if (process.platform !== 'linux') return name
  const { header } = process.report.getReport()
  return `${name}-${header.glibcVersionRuntime ? 'gnu' : 'musl'}`
}

function npmSetting(name) {
  return spawnSync('npm', ['config', 'get', name], {
    encoding: 'utf8',
    shell: isWindows,
  }).stdout.trim()
}

function run(command, args) {
  const { status } = spawnSync(command, args, {
    cwd: root,
    shell: isWindows,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  if (status !== 0) fail(`${command} ${args.join(' ')} ended with ${status}`)
}

function fail(why) {
  console.error(`pack: FAILED, ${why}`)
  process.exit(1)
}
