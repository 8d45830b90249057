'use strict'

const assert = require('node:assert/strict')
const { execFileSync } = require('node:child_process')
const { once } = require('node:events')
const { mkdtempSync, readFileSync, rmSync, writeFileSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const { after, describe, it } = require('node:test')

const WebSocket = require('ws')
const hyco = require('../..')
const { parseEnvFile } = require('../../lib/cli/environment')
const Cli = require('../support/cli')

describe('the program of the local relay', { skip: Cli.unfit, timeout: 600_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'hyco-relay-test-'))
  const running = []
  const servers = []

  after(async () => {
    await Promise.all(servers.map((server) => server.close()))
    await Promise.all(running.map((cli) => cli.end()))
    rmSync(folder, { recursive: true })
  })

  /** Starts it with free ports; gives it and what it said. */
  async function start(...args) {
    const certificates = ['--cert-dir', join(folder, 'ca')]
    const cli = new Cli(['emulator', '--port', '0', '--json', ...certificates, ...args])
    running.push(cli)
    const [line] = await cli.says(/^\{.*"listening".*\}$/m)
    return { cli, ready: JSON.parse(line) }
  }

  /** A listener, which the end of the tests closes. */
  async function listen(options) {
    const server = hyco.createRelayedServer(options)
    servers.push(server)
    await once(server, 'listening')
    return server
  }

  it('speaks plain and TLS over one set of hybrid connections (E68, E69)', async () => {
    const { cli, ready } = await start()
    const [strings] = ready.hybridConnections
    assert.match(strings.connectionString, /;UseDevelopmentEmulator=true$/)
    assert.doesNotMatch(strings.tlsConnectionString, /UseDevelopmentEmulator/)
    await listen({ connectionString: strings.connectionString })
    const address = hyco.createRelaySendUri(ready.tlsNamespace, 'hyco')
    const token = hyco.createRelayToken(address, ready.keyName, ready.key)
    const headers = { ServiceBusAuthorization: token }
    const sender = new WebSocket(address, { headers, ca: readFileSync(ready.ca) })
    await once(sender, 'open')
    sender.terminate()
    await cli.says(/101 listen \/hyco from/)
    const started = Date.now()
    assert.equal((await cli.interrupt('SIGTERM')).code, 0)
    assert.ok(Date.now() - started < 30_000)
  })

  it('writes a file of environment variables, and a log in JSON', async () => {
    const file = join(folder, '.env')
    const { cli, ready } = await start('--write-env', file, '--log', 'json')
    const text = readFileSync(file, 'utf8')
    assert.match(text, /^HYCO_CONNECTION_STRING='Endpoint=sb:\/\/127\.0\.0\.1:\d+\/;.*'$/m)
    assert.match(text, /^RELAY_CONNECTION_STRING='Endpoint=sb:\/\/localhost:\d+\/;.*'$/m)
    const response = await fetch(`http://127.0.0.1:${ready.port}/$hc/hyco`)
    assert.equal(response.status, 400)
    const [line] = await cli.says(/^\{.*"refused".*\}$/m)
    assert.equal(JSON.parse(line).status, 400)
  })

  it('prints what it does inside when it is verbose, and else its warnings alone', async () => {
    for (const verbose of [true, false]) {
      const { cli, ready } = await start('--log', 'json', ...(verbose ? ['-v'] : []))
      const address = hyco.createRelayListenUri(`ws://127.0.0.1:${ready.port}`, 'hyco')
      const headers = {
        ServiceBusAuthorization: hyco.createRelayToken(address, ready.keyName, ready.key),
      }
      const channel = new WebSocket(address, { headers })
      await once(channel, 'open')
      channel.send('nonsense')
      channel.close()
      await once(channel, 'close')
      if (verbose) await cli.says(/^\{.*"ignoring a message".*\}$/m)
      await cli.interrupt('SIGTERM')
      const lines = cli.stderr.split('\n').filter((line) => line.includes('"type":"log"'))
      if (!verbose) assert.deepEqual(lines, [])
      else assert.ok(lines.every((line) => /^(?:debug|info|warn)$/.test(JSON.parse(line).level)))
    }
  })

  it('writes what a shell and the other commands read alike, whatever the key holds', async () => {
    const key = '$(exit 1) `#"\\ =;'
    const file = join(folder, 'odd.env')
    const { ready } = await start('--write-env', file, '--key', key)
    const { HYCO_CONNECTION_STRING: string, SB_HC_KEY: written } = parseEnvFile(
      readFileSync(file, 'utf8'),
    )
    assert.equal(written, key)
    assert.equal(string, ready.connectionStrings[0])
    const script = '. "$0"; printf "%s\n%s" "$HYCO_CONNECTION_STRING" "$SB_HC_KEY"'
    const read = execFileSync('sh', ['-c', script, file], { encoding: 'utf8' })
    assert.equal(read, `${string}\n${key}`)
  })

  it('reads its configuration again when it changes, and keeps the old one when it is wrong', async () => {
    const file = join(folder, 'relay.json')
    writeFileSync(file, '{ "hybridConnections": ["one"] }')
    const { cli, ready } = await start('--config', file)
    writeFileSync(
      file,
      '{ "hybridConnections": ["one", "two"], "faults": [{ "kind": "swallowAccept" }] }',
    )
    await cli.says('was read again')
    const list = async (what) =>
      (await fetch(`http://127.0.0.1:${ready.port}/$admin/${what}`)).json()
    const paths = (await list('hybridConnections')).map(({ path }) => path)
    assert.deepEqual(paths, ['one', 'two'])
    assert.equal((await list('faults'))[0].kind, 'swallowAccept')
    writeFileSync(file, '{ "hybridConections": [] }')
    await cli.says(/the old settings stay: .*unknown field `hybridConections`.*line 1 column/)
    assert.equal((await list('hybridConnections')).length, 2)
  })

  it('changes nothing while any part of its configuration makes no sense', async () => {
    const file = join(folder, 'wrong.json')
    const good = { hybridConnections: ['one'], faults: [{ kind: 'swallowAccept' }] }
    writeFileSync(file, JSON.stringify(good))
    const { cli, ready } = await start('--config', file)
    for (const [wrong, what] of [
      [{ faults: [{ kind: 'drop' }] }, 'faults[0]: a fault of kind drop needs on'],
      [{ hybridConnections: ['two', 'TWO'] }, "there are two hybrid connections of the name 'TWO'"],
      [{ hybridConnections: [{ path: '$admin' }] }, 'hybridConnections[0].path: '],
      [{ rules: [{ keyName: 'a', rights: [] }] }, 'rules[0]: a rule needs at least one of'],
      [{ rules: [{ keyName: 'a' }, { keyName: 'A' }] }, "there are two rules of the name 'A'"],
      [{ publicUrl: 'wss://relay/below' }, 'publicUrl: it may have a scheme, a host and a port'],
    ]) {
      writeFileSync(file, JSON.stringify({ ...good, hybridConnections: ['two'], ...wrong }))
      await cli.says(what)
    }
    assert.doesNotMatch(cli.stderr, /was read again/)
    const list = async (of) => (await fetch(`http://127.0.0.1:${ready.port}/$admin/${of}`)).json()
    assert.deepEqual(
      (await list('hybridConnections')).map(({ path }) => path),
      ['one'],
    )
    assert.deepEqual(
      (await list('faults')).map(({ id }) => id),
      [1],
    )
    await cli.interrupt('SIGTERM')
    const lines = cli.stderr.split('\n').filter((line) => line.includes('the old settings stay'))
    assert.ok(lines.every((line) => line.includes(`${file}: `) && / at line 1 col/.test(line)))
  })

  it('lets the rules of the namespace follow its configuration', async () => {
    const file = join(folder, 'namespace.json')
    const write = (...rules) => writeFileSync(file, JSON.stringify({ rules }))
    const [first, second] = ['first', 'second'].map((keyName) => ({ keyName, key: 'k' }))
    write(first)
    const { cli, ready } = await start('--config', file, '--log', 'json')
    write(second, { ...first, rights: ['Send'] })
    const [line] = await cli.says(/^.*was read again.*$/m)
    assert.equal(JSON.parse(line).level, 'info')
    const rules = await (await fetch(`http://127.0.0.1:${ready.port}/$admin/rules`)).json()
    assert.deepEqual(
      rules.map(({ keyName, rights }) => `${keyName}: ${rights}`),
      ['second: Listen,Send,Manage', 'first: Send'],
    )
  })

  it('takes an empty variable for none, and says which variable is wrong', async () => {
    const env = { HYCO_RELAY_NO_TLS: '1', HYCO_RELAY_TLS_PORT: '', HYCO_RELAY_KEY: '' }
    const cli = new Cli(['emulator', '--port', '0', '--json'], { env })
    running.push(cli)
    const [line] = await cli.says(/^\{.*"listening".*\}$/m)
    assert.equal(JSON.parse(line).tlsPort, null)
    // A container's orchestrator makes such a variable for a service of that name.
    for (const [name, value, what] of [
      ['HYCO_RELAY_PORT', 'tcp://10.0.0.1:80', 'a port is a number from 0 to 65535'],
      ['HYCO_RELAY_TLS', 'maybe', 'value was not a boolean'],
      ['HYCO_RELAY_PUBLIC_URL', 'ftp://x', 'its scheme is none of'],
      ['HYCO_RELAY_HOSTS', 'a b', "'a b' is no host name"],
    ]) {
      const { code, stderr } = await Cli.run(['emulator'], { env: { [name]: value } })
      assert.equal(code, 2, stderr)
      assert.ok(stderr.includes(what), stderr)
      assert.match(stderr, new RegExp(`the environment variable ${name} `))
    }
    const env2 = { HYCO_RELAY_PORT: '1' }
    const { code, stderr } = await Cli.run(['emulator', '--port', 'x'], { env: env2 })
    assert.equal(code, 2)
    assert.doesNotMatch(stderr, /environment variable/)
  })

  it('answers a HEAD as a GET without its body, as probes ask', async () => {
    const { ready } = await start()
    for (const [path, status] of [
      ['', 200],
      ['$admin/health', 200],
      ['$admin/metrics', 200],
      ['$admin/events', 200],
      ['$admin/nothing', 404],
    ]) {
      const url = `http://127.0.0.1:${ready.port}/${path}`
      const answer = await fetch(url, { method: 'HEAD' })
      assert.equal(answer.status, status, path)
      assert.equal(await answer.text(), '')
    }
  })

  it('gives rules that come with a changed configuration their rights and no more', async () => {
    const file = join(folder, 'rules.json')
    const write = (...rights) => {
      const rules = [{ keyName: 'some', key: 'secret', rights }]
      writeFileSync(file, JSON.stringify({ hybridConnections: [{ path: 'one', rules }] }))
    }
    writeFileSync(file, '{ "hybridConnections": ["one"] }')
    const { cli, ready } = await start('--config', file)
    const rights = async () => {
      const rules = `http://127.0.0.1:${ready.port}/$admin/rules?hybridConnection=one`
      return (await (await fetch(rules)).json()).map((rule) => rule.rights)
    }
    assert.deepEqual(await rights(), [])
    write('Listen')
    await cli.says('was read again')
    assert.deepEqual(await rights(), [['Listen']])
  })

  it('lets a rule without a key keep the one that was made for it', async () => {
    const file = join(folder, 'keyless.json')
    const write = (...more) => {
      const rules = [{ keyName: 'some', rights: ['Listen'] }]
      const connections = [{ path: 'one', rules }, ...more]
      writeFileSync(file, JSON.stringify({ hybridConnections: connections }))
    }
    write()
    const { cli, ready } = await start('--config', file)
    const key = async () => {
      const rules = `http://127.0.0.1:${ready.port}/$admin/rules?hybridConnection=one`
      return (await (await fetch(rules)).json())[0].key
    }
    const before = await key()
    const server = await listen({
      server: hyco.createRelayListenUri(ready.namespace, 'one'),
      token: hyco.createRelayToken(`http://127.0.0.1:${ready.port}/one`, 'some', before),
    })
    let lost = false
    server.on('offline', () => (lost = true))
    write('two')
    await cli.says('was read again')
    assert.equal(await key(), before)
    assert.equal(lost, false, 'the listener of what has not changed stays')
  })

  it('says which changes of its configuration need a restart', async () => {
    const file = join(folder, 'restart.json')
    writeFileSync(file, '{ "maxListeners": 25 }')
    const { cli } = await start('--config', file)
    writeFileSync(file, '{ "maxListeners": 3, "acceptTimeout": 5 }')
    await cli.says('warning: a change of maxListeners, the times needs a restart')
    writeFileSync(file, '{ "acceptTimeout": 0 }')
    await cli.says(/the old settings stay: .*0 ms is not from 1 to 2147483647 at line 1/)
  })

  it('takes times from its configuration', async () => {
    const file = join(folder, 'times.json')
    writeFileSync(file, '{ "acceptTimeout": 50, "faults": [{ "kind": "swallowAccept" }] }')
    const { ready } = await start('--config', file)
    const connectionString = ready.connectionStrings[0]
    await listen({ connectionString })
    const sender = hyco.relayedConnect(null, null, { connectionString })
    const [error] = await once(sender, 'error')
    assert.equal(error.statusCode, 504)
  })

  it('names what is wrong with a fault, whether a relay runs or not', async () => {
    for (const [args, what] of [
      [['dorp', 'on=control'], /kind: unknown variant `dorp`.*`drop`/],
      [['on=control', 'drop'], /the kind comes first/],
      [['refuse', 'staus=503'], /unknown field `staus`/],
      [['refuse', 'status=many'], /status: invalid type: string "many"/],
      [['refuse', 'status=99'], /status must be from 200 to 599/],
      [['drop'], /a fault of kind drop needs on/],
      [['drop', 'on=control', 'status=503'], /a fault of kind drop has no status/],
      [['drop', 'on=control', 'on=control'], /'on' is given twice/],
      [['drop', 'control'], /'control' must be NAME=VALUE/],
    ]) {
      const { code, stderr } = await Cli.run(['emulator', 'fault', '--port', '1', ...args])
      assert.equal(code, 2, args.join(' '))
      assert.match(stderr, what)
    }
    const { code, stderr } = await Cli.run(['emulator', 'fault', '--port', '1', 'swallowAccept'])
    assert.equal(code, 1)
    assert.match(stderr, /no relay answers at port 1/)
  })

  it('says whether a relay runs', async () => {
    const { cli, ready } = await start()
    const health = () => Cli.run(['emulator', 'health', '--port', String(ready.port)])
    const { code, stdout } = await health()
    assert.deepEqual([code, stdout], [0, '{"status":"ok"}\n'])
    await cli.interrupt()
    assert.equal((await health()).code, 1)
  })

  it('sets faults in a relay that runs', async () => {
    const { ready } = await start()
    const fault = (...args) => Cli.run(['emulator', 'fault', '--port', String(ready.port), ...args])
    const set = await fault('refuse', 'status=503', 'count=1')
    assert.deepEqual([set.code, JSON.parse(set.stdout)], [0, { id: 1 }])
    assert.match((await fault()).stdout, /"status":503/)
    const wrong = await fault('refuse', 'staus=503')
    assert.equal(wrong.code, 2)
    assert.match(wrong.stderr, /staus/)
    assert.equal((await fault('--clear')).code, 0)
    assert.equal((await fault()).stdout, '[]\n')
  })

  it('says what is wrong with a setting, and shows no key', async () => {
    for (const [args, what] of [
      [['--rule', 'name=topsecret:Dance'], /'Dance' is no right/],
      [['--config', join(folder, 'nothing.json')], /cannot read .*nothing\.json/],
      [['--prot', '1'], /--port/],
    ]) {
      const { code, stderr } = await Cli.run(['emulator', ...args])
      assert.equal(code, 2)
      assert.match(stderr, what)
      assert.doesNotMatch(stderr, /topsecret/)
    }
  })
})
