// The recipes of docs/bundlers.md: what each needs, and how it comes to a program that runs.

import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const page = readFileSync(fileURLToPath(new URL('../../docs/bundlers.md', import.meta.url)), 'utf8')

/**
 * Each gets a `Project` and makes its program ready; it returns what to run, or does all of it.
 * `packages` are those that are installed beside this one.
 */
export const recipes = {
  'esbuild, external': {
    packages: ['esbuild@0.28.2'],
    async make(project) {
      await project.run(snippet('esbuild', 0).trim())
      return ['dist/app.mjs']
    },
  },

  'esbuild, with the binary': {
    packages: ['esbuild@0.28.2'],
    async make(project) {
      await project.run(snippet('esbuild', 1).trim())
      return ['dist/app.cjs', { alone: true }]
    },
  },

  Rollup: {
    packages: ['rollup@4.68.8'],
    async make(project) {
      project.write('rollup.config.mjs', snippet('Rollup', 0))
      await project.run('rollup --config rollup.config.mjs')
      return ['dist/app.mjs']
    },
  },

  'webpack 5': {
    packages: ['webpack@5.112.2', 'webpack-cli@7.3.1'],
    async make(project) {
      project.write('webpack.config.cjs', snippet('webpack 5', 0))
      await project.run('webpack --mode production --config webpack.config.cjs')
      return ['dist/app.mjs']
    },
  },

  'Vite (SSR)': {
    packages: ['vite@8.3.8'],
    async make(project) {
      project.write('vite.config.mjs', snippet('Vite (SSR)', 0))
      await project.run('vite build')
      const [file] = readdirSync(join(project.folder, 'dist'))
      return [`dist/${file}`]
    },
  },

  'Next.js': {
    packages: ['next@16.4.6', 'react@19.3.1', 'react-dom@19.3.1'],
    async make(project) {
      project.write('next.config.js', snippet('Next.js', 0))
      project.write(
        'app/layout.js',
        'export default ({ children }) => <html><body>{children}</body></html>\n',
      )
      project.write(
        'app/relay/route.js',
        `import relay from '../../relay.mjs'
export const dynamic = 'force-dynamic'
export const GET = async () => new Response(await relay())
`,
      )
      await project.run('next build')
      return project.serve('next start --hostname 127.0.0.1', '/relay')
    },
  },

  npm: {
    packages: ['ws@8'],
    async make(project) {
      project.expectOne('ws')
      return ['app.mjs']
    },
  },

  pnpm: { manager: 'pnpm@12.21.0', packages: [], make: () => ['app.mjs'] },

  "Yarn, Plug'n'Play": {
    manager: '@yarnpkg/cli-dist@4.18.1',
    packages: [],
    make: (project) => project.run('yarn node app.mjs'),
  },
}

/** A block below a heading of the page. */
function snippet(heading, index) {
  const section = page.split(/^## /m).find((text) => text.startsWith(`${heading}\n`))
  return Array.from(section.matchAll(/^```\w+\n([^]*?)^```$/gm), ([, text]) => text)[index]
}

/** What is bundled: one round through a local relay. */
export function writeProgram(folder) {
  const body = `const relay = await hyco.startRelayEmulator()
  const options = { connectionString: relay.connectionString, path: 'hyco' }
  const server = hyco.createRelayedServer(options, (socket) => {
    socket.on('message', (data) => socket.send('you said: ' + data))
  })
  await new Promise((resolve) => server.once('listening', resolve))
  const sender = hyco.relayedConnect(null, options)
  sender.on('open', () => sender.send('hello'))
  const answer = await new Promise((resolve) => sender.once('message', resolve))
  await server.close()
  await relay.close()
  return String(answer)`
  const relay = `async function relay() {\n  ${body}\n}\n`
  const write = (name, text) => writeFileSync(join(folder, name), text)
  write('relay.mjs', `import hyco from 'hyco-rs'\n\nexport default ${relay}`)
  write('app.mjs', `import relay from './relay.mjs'\n\nconsole.log(await relay())\n`)
  write('app.js', `const hyco = require('hyco-rs')\n\n${relay}\nrelay().then(console.log)\n`)
}
