// Builds the site of the documentation from README.md, docs/ and the types, into target/site: `npm run
// docs`, or into another folder with `-- FOLDER`. It fails on a warning, and on a link that leads nowhere.

import { readFileSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Application, Converter, TSConfigReader } from 'typedoc'

import { checkLinks } from './links.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))

/** The pages, in the order in which a reader needs them. */
const PAGES = [
  'api',
  'http',
  'lifecycle',
  'errors',
  'testing',
  'emulator',
  'emulator-clients',
  'cli',
  'migrating-from-hyco-ws',
  'migrating-from-hyco-https',
  'differences-from-ws',
  'bundlers',
  'runtimes',
  'performance',
  'benchmarks',
  'autobahn',
  'protocol',
].map((name) => `docs/${name}.md`)

const PROJECT = ['ARCHITECTURE.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md']

process.exitCode = await build(resolve(process.argv[2] ?? join(root, 'target', 'site')))

/** @return {Promise<Number>} The exit code */
async function build(out) {
  const forgotten = readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .filter((name) => !PAGES.includes(`docs/${name}`))
  if (forgotten.length > 0) return fail(`scripts/docs.mjs has no place for ${forgotten}`)

  const app = await Application.bootstrap(settings(), [new TSConfigReader()])
  app.converter.on(Converter.EVENT_CREATE_DOCUMENT, (_, page) => {
    page.name = titleOf(join(root, `${page.name}.md`)) ?? page.name
  })
  const project = await app.convert()
  if (!project) return fail('the types do not compile')
  await app.generateDocs(project, out)
  if (app.logger.hasErrors() || app.logger.hasWarnings()) return fail('see above')

  const { links, broken } = checkLinks(out)
  if (broken.length > 0) return fail(`these links lead nowhere:\n${broken.join('\n')}`)
  console.log(`docs: ${links} links lead somewhere; ${pathToFileURL(join(out, 'index.html'))}`)
  return 0
}

function settings() {
  const { repository } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const source = repository.url.replace(/^git\+|\.git$/g, '')
  return {
    name: 'hyco-rs',
    entryPoints: ['index.d.mts', 'testing.d.mts', 'https.d.mts'].map((name) => join(root, name)),
    tsconfig: join(root, 'scripts', 'docs.tsconfig.json'),
    readme: join(root, 'README.md'),
    projectDocuments: [...PAGES, ...PROJECT].map((name) => join(root, name)),
    searchInComments: true,
    searchInDocuments: true,
    sort: ['source-order'],
    sortEntryPoints: false,
    excludeExternals: true,
    excludePrivate: true,
    disableGit: true,
    sourceLinkTemplate: `${source}/blob/main/{path}#L{line}`,
    navigationLinks: { GitHub: source, npm: 'https://www.npmjs.com/package/hyco-rs' },
    highlightLanguages: [
      'csharp',
      'diff',
      'go',
      'html',
      'java',
      'javascript',
      'json',
      'python',
      'rust',
      'sh',
      'typescript',
      'yaml',
    ],
    // ws's own class is behind these two, and documented by ws.
    intentionallyNotExported: ['WebSocketClass', 'WebSocketInstance'],
    logLevel: 'Warn',
  }
}

/** The first heading of a page, without marks. */
function titleOf(file) {
  return /^# (.*)$/m.exec(readFileSync(file, 'utf8'))?.[1].replace(/[`*]/g, '')
}

function fail(why) {
  console.error(`docs: FAILED, ${why}`)
  return 1
}
