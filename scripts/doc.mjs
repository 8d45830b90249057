// Builds the documentation of the Rust crates; a warning is an error: `npm run doc`.

import { spawnSync } from 'node:child_process'

const args = ['doc', '--no-deps', '--document-private-items', '--locked', '--workspace']
const env = { ...process.env, RUSTDOCFLAGS: '-D warnings' }
process.exitCode = spawnSync('cargo', args, { env, stdio: 'inherit' }).status ?? 1
