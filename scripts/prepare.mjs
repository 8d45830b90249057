// Makes a fresh clone ready to run: installs the packages and builds the addon, each only where it is
// missing or older than what it is made from. Uses nothing but Node, since nothing else may be there.

import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const sources = ['Cargo.lock', 'Cargo.toml', 'build.rs', 'crates', 'src']

/** Installs and builds what is not up to date. */
export function prepare() {
  const installed = join(root, 'node_modules', '.package-lock.json')
  if (!existsSync(installed) || newest(join(root, 'package-lock.json')) > newest(installed)) {
    console.log('installing packages: npm ci')
    run('npm', ['ci'])
  }
  const built = Math.max(0, ...addons().map(newest))
  if (built < Math.max(...sources.map((name) => newest(join(root, name))))) {
    if (spawnSync('cargo', ['--version'], { shell: isWindows }).status !== 0) {
      console.error(
        'The addon is not built, and there is no Rust to build it with: https://rustup.rs',
      )
      process.exit(1)
    }
    console.log('building the addon, some minutes the first time: npm run build')
    run('npm', ['run', 'build'])
  }
}

const isWindows = process.platform === 'win32'

function addons() {
  const folder = join(root, 'native')
  return readdirSync(folder)
    .filter((name) => name.endsWith('.node'))
    .map((name) => join(folder, name))
}

/** When a file, or the newest file of a folder, was changed. */
function newest(path) {
  const { mtimeMs } = statSync(path)
  if (!statSync(path).isDirectory()) return mtimeMs
  const inside = readdirSync(path).filter((name) => name !== 'target' && name !== 'node_modules')
  return Math.max(0, ...inside.map((name) => newest(join(path, name))))
}

function run(command, args) {
  const { status } = spawnSync(command, args, { cwd: root, shell: isWindows, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) prepare()
