'use strict'

const assert = require('node:assert/strict')
const { execFileSync, spawnSync } = require('node:child_process')
const { mkdtempSync, readFileSync, rmSync, writeFileSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const { describe, it } = require('node:test')

const { COMMANDS } = require('../../lib/cli/commands')
const { parseEnvFile } = require('../../lib/cli/environment')
const { EXIT } = require('../../lib/cli/failure')
const { markdown } = require('../../lib/cli/help')
const manifest = require('../../package.json')
const Cli = require('../support/cli')

const STRING =
  'Endpoint=sb://contoso.servicebus.windows.net/;SharedAccessKeyName=rule;SharedAccessKey=k3y='

/** Enough to know where to connect. */
const TARGET = ['-c', `${STRING};EntityPath=a`]

describe('hyco-rs', { timeout: 600_000 }, () => {
  it('shows its commands, and the help of each', async () => {
    const { code, stdout } = await Cli.run(['--help'])
    assert.equal(code, 0)
    for (const { name, summary } of COMMANDS) {
      assert.ok(stdout.includes(`  ${name} `), name)
      assert.ok(stdout.includes(summary), summary)
    }
    const helps = await Promise.all(COMMANDS.map(({ name }) => Cli.run([name, '--help'])))
    helps.forEach((help, i) => {
      assert.equal(help.code, 0)
      assert.ok(help.stdout.includes(`Usage: hyco-rs ${COMMANDS[i].name}`))
      for (const name of Object.keys(COMMANDS[i].options)) {
        assert.ok(help.stdout.includes(`--${name}`), name)
      }
      // The relay's program, which is in Rust, writes its help itself.
      const { examples } = COMMANDS[i].name === 'emulator' ? { examples: [] } : COMMANDS[i]
      for (const [line, what] of examples) {
        assert.ok(help.stdout.includes(`  ${line}\n      ${what}\n`), line)
      }
      for (const line of help.stdout.split('\n')) {
        assert.ok(line.length <= 100 || line.includes('SharedAccessKey='), line)
      }
    })
    assert.equal((await Cli.run(['help', 'listen'])).stdout, helps[0].stdout)
  })

  it('shows its version', async () => {
    const { code, stdout } = await Cli.run(['--version'])
    assert.deepEqual([code, stdout], [0, `${manifest.version}\n`])
  })

  it('shows its help and fails when it is told nothing', async () => {
    const { code, stdout } = await Cli.run([])
    assert.equal(code, EXIT.usage.code)
    assert.match(stdout, /Usage: hyco-rs COMMAND/)
  })

  for (const [args, what] of [
    [['listn'], /no command 'listn'[^]*Did you mean listen\?/],
    [['-q', 'listen'], /The command comes first/],
    [['listen', '--ecoh'], /no option --ecoh[^]*Did you mean --echo\?/],
    [['listen', '-z'], /no option -z/],
    [['listen', '--path'], /--path needs a value: --path NAME/],
    [['listen', '--path', '--echo'], /--path needs a value, and the option --echo follows/],
    [['listen', '-p', 'a', '-p', 'b'], /-p is given twice/],
    [['listen', '--echo=yes'], /--echo takes no value/],
    [['listen', 'hyco'], /does not know what to do with 'hyco'/],
    [['listen', '--timeout', 'soon'], /--timeout must be a number of seconds/],
    [['send', '--replies', '-1', 'x'], /--replies must be a whole number/],
    [['forward'], /'forward' needs PORT/],
    [['forward', '65536', ...TARGET], /'65536' is no port/],
    [['forward', '1e3', ...TARGET], /'1e3' is no port/],
    [['uri', 'conect'], /Did you mean connect\?/],
    [['uri', 'listen'], /not known where to connect[^]*HYCO_CONNECTION_STRING/],
    [['uri', 'listen', '-n', 'ns'], /which hybrid connection[^]*--path NAME/],
    [['uri', 'listen', '-n', 'ns', '-c', STRING], /either --connection-string or --namespace/],
    [['uri', 'base', '-c', `${STRING};EntityPath=a`, '-p', 'b'], /is for 'a'.*--path says 'b'/],
    [['uri', 'base', '-c', 'Endpoint', '-p', 'b'], /--connection-string cannot be used/],
    [['uri', 'base', '-n', 'a b', '-p', 'b'], /--namespace cannot be used: 'a b' is no address/],
    [
      ['uri', 'base', '-n', 'localhost:0', '-p', 'b'],
      /--namespace cannot be used.*\n.*local relay/,
    ],
    [['uri', 'base', '-n', 'ns', '-p', 'a', '--key', 'k'], /key of a rule and no name/],
    [
      ['listen', '-n', 'ns', '-p', 'a', '--token', 't', '--ca', 'none.pem'],
      /file of --ca cannot be read/,
    ],
    [['uri', 'base', '--env', 'none'], /file none cannot be read/],
    [['token', '-n', 'ns'], /no key to sign with/],
    [['token', '-c', STRING, 'no uri'], /cannot be for 'no uri'.*\n.*sb:\/\//],
    [['listen', '-n', 'ns', '-p', 'a'], /no key and no token/],
  ]) {
    it(`says what is wrong with: ${args.join(' ').replaceAll(STRING, '…')}`, async () => {
      const { code, stdout, stderr } = await Cli.run(args)
      assert.match(stderr, what)
      assert.match(stderr, /^error: /)
      assert.doesNotMatch(stderr, /k3y|\n {4}at /)
      assert.equal(stdout, '')
      assert.equal(code, EXIT.usage.code)
    })
  }

  it('finds the connection string in a .env, and the environment wins over it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'hyco-rs-env-'))
    try {
      writeFileSync(join(folder, '.env'), `# local\nexport HYCO_CONNECTION_STRING="${STRING}"\n`)
      const ask = (env = {}) => Cli.run(['uri', 'http', '-p', 'a/b'], { cwd: folder, env })
      assert.equal((await ask()).stdout, 'https://contoso.servicebus.windows.net/a/b\n')
      const env = { HYCO_CONNECTION_STRING: STRING.replace('contoso', 'fabrikam') }
      assert.match((await ask(env)).stdout, /fabrikam/)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('understands the variables of the samples of hyco-ws', async () => {
    const env = {
      SB_HC_NAMESPACE: 'contoso.servicebus.windows.net',
      SB_HC_PATH: 'hyco',
      SB_HC_KEYRULE: 'rule',
      SB_HC_KEY: 'k3y=',
    }
    const { stdout } = await Cli.run(['uri', 'connect', '--suffix', 'x?y=1', '--with-token'], {
      env,
    })
    assert.match(
      stdout,
      /^wss:\/\/contoso\.servicebus\.windows\.net(:443)?\/\$hc\/hyco\/x\?y=1&sb-hc-action=connect&sb-hc-token=SharedAccessSignature%20/,
    )
  })

  it('percent-encodes what is illegal in an address, of every kind', async () => {
    const args = ['-n', 'contoso.servicebus.windows.net', '-p', 'h c', '-s', '/ü b?x=1 2']
    const rest = 'h%20c/%C3%BC%20b?x=1%202'
    for (const [kind, expected] of [
      ['http', `https://contoso.servicebus.windows.net/${rest}`],
      ['base', `wss://contoso.servicebus.windows.net/$hc/${rest}`],
      ['connect', `wss://contoso.servicebus.windows.net:443/$hc/${rest}&sb-hc-action=connect`],
    ]) {
      const { stdout } = await Cli.run(['uri', kind, ...args])
      assert.equal(stdout, `${expected}\n`)
    }
  })

  it('signs tokens as the library does', async () => {
    const args = ['token', '-c', STRING, '-p', 'hyco', '--expires-in', '60', '--json']
    const { code, stdout } = await Cli.run(args)
    assert.equal(code, 0)
    const { token, expires } = JSON.parse(stdout)
    const [, seconds] = /^SharedAccessSignature sr=http%3A%2F%2Fcontoso.*&se=(\d+)&skn=rule$/.exec(
      token,
    )
    assert.equal(new Date(seconds * 1000).toISOString(), expires)
    const left = seconds - Date.now() / 1000
    assert.ok(left > 30 && left <= 60, left)
  })

  it('completes commands, options and values in bash', async () => {
    const { stdout: script } = await Cli.run(['completion', 'bash'])
    const ask = (...words) =>
      execFileSync(
        'bash',
        [
          '-c',
          `${script}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _hyco_rs; echo "\${COMPREPLY[*]}"`,
          'bash',
          ...words,
        ],
        { encoding: 'utf8' },
      ).trim()
    assert.equal(ask('hyco-rs', 'li'), 'listen')
    assert.equal(ask('hyco-rs', 'listen', '--ec'), '--echo')
    assert.equal(ask('hyco-rs', 'uri', 'h'), 'http')
    assert.equal(ask('hyco-rs', 'doctor', '--round-trip', 'a'), 'auto always')
    assert.equal(ask('hyco-rs', 'emulator', '--log', 'p'), 'pretty')
    assert.equal(ask('hyco-rs', 'emulator', 'f'), 'fault')
    const { stdout: help } = await Cli.run(['emulator', '--help'])
    const words = ask('hyco-rs', 'emulator', '--').split(' ')
    for (const [, option] of help.matchAll(/^ {2,6}(?:-\w, )?(--[\w-]+)/gm)) {
      assert.ok(words.includes(option), option)
    }
    assert.ok(words.includes('--cert-dir'), 'one that the help has')
  })

  it('prints completions that zsh and fish can read, where they are installed', async () => {
    for (const [shell, flag] of [
      ['zsh', '-n'],
      ['fish', '--no-execute'],
    ]) {
      const { stdout } = await Cli.run(['completion', shell])
      for (const { name } of COMMANDS) assert.ok(stdout.includes(name), name)
      const { error, status, stderr } = spawnSync(shell, [flag], { input: stdout })
      if (error?.code !== 'ENOENT') assert.equal(status, 0, String(stderr))
    }
  })

  it('has its commands, options and exit codes in docs/cli.md', () => {
    const page = readFileSync(join(__dirname, '..', '..', 'docs', 'cli.md'), 'utf8')
    const [, between] = /<!-- commands:start -->\n([^]*?)<!-- commands:end -->/.exec(page)
    const plain = (text) =>
      text.replace(/ {2,}/g, ' ').replace(/-{2,}/g, '--').replace(/\n+/g, '\n')
    assert.equal(plain(between).trim(), plain(markdown()).trim())
  })
})

describe('a .env', { timeout: 300_000 }, () => {
  it('has quotes, comments and export as its readers know them', () => {
    const text =
      'A=1\nexport B = two # two\nC=\'# no comment\'\nD="x" # y\nE=a#b\n#F=1\nG=\r\nno line'
    assert.deepEqual(
      { ...parseEnvFile(text) },
      { A: '1', B: 'two', C: '# no comment', D: 'x', E: 'a#b', G: '' },
    )
  })
})
