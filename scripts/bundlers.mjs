// Tries the recipes of docs/bundlers.md: `npm run test:bundlers`, or only some with `-- Rollup npm`. It packs
// this package with the binary of this machine, gives it out from a registry of its own, installs it and
// each bundler into a folder of target/bundlers, bundles a program, and runs what comes out.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

import { recipes, writeProgram } from './bundlers/recipes.mjs'
import { startRegistry } from './bundlers/registry.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const home = join(root, 'target', 'bundlers')

/** What the program prints when a message has gone through the relay and back. */
const ANSWER = 'you said: hello'

/** How long one step may take, in milliseconds. */
const DEADLINE = 300_000

const names = process.argv.slice(2)
const unknown = names.filter((name) => !(name in recipes))
if (unknown.length > 0) {
  console.error(`unknown: ${unknown.join(', ')}; there are ${Object.keys(recipes).join(', ')}`)
  process.exit(1)
}

async function main(chosen) {
  const packed = spawnSync(process.execPath, [join(root, 'scripts', 'pack.mjs'), '--native'], {
    stdio: 'inherit',
  })
  if (packed.status !== 0) return 1
  const registry = await startRegistry(join(root, 'target', 'pack'))
  let failed = 0
  for (const name of chosen) {
    const started = Date.now()
    const project = new Project(name, registry.url)
    const failure = await project.try(recipes[name]).then(
      () => undefined,
      (error) => error.message,
    )
    if (failure !== undefined) failed++
    const seconds = ((Date.now() - started) / 1000).toFixed(0)
    console.log(`bundlers: ${name}: ${failure ? `FAILED, ${failure}` : `ok, ${seconds} s`}`)
  }
  registry.close()
  return failed === 0 ? 0 : 1
}

/** A folder with a program, into which this package and a bundler are installed. */
class Project {
  #env
  #registry

  constructor(name, registry) {
    this.folder = join(home, name.replace(/\W+/g, '-'))
    this.#registry = registry
    this.#env = {
      ...process.env,
      NEXT_TELEMETRY_DISABLED: '1',
      YARN_ENABLE_TELEMETRY: '0',
      PATH: [join(this.folder, 'node_modules', '.bin'), process.env.PATH].join(delimiter),
      npm_config_registry: registry,
      npm_config_cache: join(home, 'cache'), // which would keep the package of another run
    }
  }

  async try({ manager, packages, make }) {
    fs.rmSync(this.folder, { recursive: true, force: true })
    fs.rmSync(join(home, 'cache'), { recursive: true, force: true })
    fs.mkdirSync(this.folder, { recursive: true })
    this.write('package.json', '{ "private": true }\n')
    writeProgram(this.folder)
    await this.#install(manager, ['hyco-rs', ...packages])
    const made = await make(this)
    const output = Array.isArray(made) ? await this.#runProgram(...made) : made
    if (!output.includes(ANSWER)) throw new Error(`it printed ${JSON.stringify(output)}`)
  }

  write(name, text) {
    fs.mkdirSync(dirname(join(this.folder, name)), { recursive: true })
    fs.writeFileSync(join(this.folder, name), text)
  }

  /** Runs a command line of the docs. */
  run(line) {
    return this.#spawn(line, { shell: true })
  }

  /** Runs a server, asks it once, and ends it. */
  async serve(line, path) {
    const [command, ...args] = line.split(' ')
    const port = 20_000 + Math.floor(Math.random() * 20_000)
    const server = spawn(command, [...args, '--port', `${port}`], {
      cwd: this.folder,
      env: this.#env,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    try {
      let told = ''
      for await (const part of server.stdout.setEncoding('utf8')) {
        told += part
        if (/ready/i.test(told)) break
      }
      const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
        signal: AbortSignal.timeout(DEADLINE),
      })
      return await answer.text()
    } finally {
      server.kill()
      if (server.exitCode === null) await once(server, 'exit')
    }
  }

  /** Fails if a package is there twice. */
  expectOne(name) {
    const found = fs
      .readdirSync(join(this.folder, 'node_modules'), { recursive: true })
      .filter((path) => path === name || path.endsWith(join('node_modules', name)))
    if (found.length !== 1) throw new Error(`there are ${found.length} copies of ${name}: ${found}`)
  }

  async #install(manager, packages) {
    const quiet = ['--no-audit', '--no-fund', '--loglevel=error']
    if (manager === undefined) return this.#npm('install', ...quiet, ...packages)
    const tools = join(this.folder, '..', 'tools')
    await this.#npm('install', ...quiet, '--prefix', tools, '--no-save', manager)
    if (manager.startsWith('pnpm@')) {
      this.write('.npmrc', `registry=${this.#registry}\n`)
      const pnpm = join(tools, 'node_modules', 'pnpm', 'bin', 'pnpm.mjs')
      return this.#node(pnpm, 'add', '--store-dir', join(home, 'cache', 'pnpm'), ...packages)
    }
    const yarn = join(tools, 'node_modules', '@yarnpkg', 'cli-dist', 'bin', 'yarn.js')
    this.write(
      '.yarnrc.yml',
      `nodeLinker: pnp
npmRegistryServer: ${this.#registry}
unsafeHttpWhitelist: ['127.0.0.1']
enableGlobalCache: false
globalFolder: ${join(home, 'cache', 'yarn')}
pnpEnableEsmLoader: true
npmMinimalAgeGate: 0 # it was published a moment ago
yarnPath: ${yarn}
`,
    )
    this.write('yarn.lock', '')
    await this.#node(yarn, 'add', ...packages)
    fs.mkdirSync(join(this.folder, 'node_modules', '.bin'), { recursive: true })
    fs.symlinkSync(yarn, join(this.folder, 'node_modules', '.bin', 'yarn'))
  }

  /** Runs what was made; alone, without anything that was installed. */
  async #runProgram(file, { alone = false } = {}) {
    if (!alone) return this.#node(file)
    const elsewhere = fs.mkdtempSync(join(tmpdir(), 'hyco-rs-bundle-'))
    try {
      fs.cpSync(join(this.folder, dirname(file)), elsewhere, { recursive: true })
      return await this.#spawn(process.execPath, { args: [file.split('/').at(-1)], cwd: elsewhere })
    } finally {
      fs.rmSync(elsewhere, { recursive: true })
    }
  }

  #node(...args) {
    return this.#spawn(process.execPath, { args })
  }

  #npm(...args) {
    return this.#spawn('npm', { args, shell: process.platform === 'win32' })
  }

  /** Runs a program to its end. It must not block this one, whose registry it asks. */
  async #spawn(command, { args = [], cwd = this.folder, shell = false }) {
    const child = spawn(command, args, {
      cwd,
      env: this.#env,
      shell,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: DEADLINE,
    })
    const [stdout, stderr, [status]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close'),
    ])
    if (status !== 0) {
      throw new Error(`${[command, ...args].join(' ')} ended with ${status}\n${stdout}${stderr}`)
    }
    return stdout
  }
}

process.exitCode = await main(names.length > 0 ? names : Object.keys(recipes))
