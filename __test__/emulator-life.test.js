'use strict'

const assert = require('node:assert')
const { spawn } = require('node:child_process')
const { once } = require('node:events')
const { describe, test } = require('node:test')
const { Worker } = require('node:worker_threads')

const TIMEOUT = { timeout: 300_000 }

describe('the life of an emulator', TIMEOUT, () => {
  const emulator = JSON.stringify(require.resolve('../lib/emulator/emulator'))

  /** Runs a script in a process of its own; gives how it ended and what it printed. */
  async function run(script, env = {}) {
    const child = spawn(process.execPath, ['-e', script], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text) => (output += text))
    const [code, signal] = await once(child, 'close')
    return { code, signal, output }
  }

  const WELL = { code: 0, signal: null }

  test('keeps the process alive until it is closed', async () => {
    const ended = await run(`
      require(${emulator}).startRelayEmulator().then((relay) => {
        console.log('started')
        setTimeout(() => relay.close().then(() => console.log('closed')), 300).unref()
      })
    `)
    assert.deepStrictEqual(ended, { ...WELL, output: 'started\nclosed\n' })
  })

  test('ends with process.exit() in the middle of traffic', async () => {
    const { code, signal } = await run(traffic('() => process.exit(7)'))
    assert.deepStrictEqual([code, signal], [7, null])
  })

  test('ends with its worker in the middle of traffic', async () => {
    const script = traffic("() => require('node:worker_threads').parentPort.postMessage('busy')")
    for (let n = 0; n < 5; n++) {
      const worker = new Worker(script, { eval: true })
      await once(worker, 'message')
      assert.strictEqual(await worker.terminate(), 1)
    }
  })

  const linuxOnly = { skip: process.platform !== 'linux' && 'reads /proc' }

  test('gives its thread back when it is closed', linuxOnly, async () => {
    const script = `
      const { readFileSync } = require('node:fs')
      const { startRelayEmulator } = require(${emulator})
      const megabytes = () => /VmSize:\\s*(\\d+)/.exec(readFileSync('/proc/self/status'))[1] / 1024
      const cycles = async (count) => {
        for (let n = 0; n < count; n++) await (await startRelayEmulator()).close()
      }
      cycles(100).then(async () => {
        const before = megabytes()
        await cycles(200)
        console.log(Math.round(megabytes() - before))
      })
    `
    // Arenas of malloc are address space, too: 64 MiB each, and many where there are many processors.
    const { output, ...ended } = await run(script, { MALLOC_ARENA_MAX: '2' })
    // Two hundred stacks of 2 MiB would be 400.
    assert.ok(Number(output) < 280, `${output} MiB more`)
    assert.deepStrictEqual(ended, WELL)
  })

  test('lets the process end after a failed start', async () => {
    const ended = await run(`
      const { startRelayEmulator } = require(${emulator})
      startRelayEmulator({ host: '192.0.2.1' }).catch(({ code }) => console.log(code))
    `)
    assert.deepStrictEqual(ended, { ...WELL, output: 'HYCO_ERR_EMULATOR_BIND\n' })
  })

  /** A script with two sockets of ws that flood each other, and what to do then. */
  function traffic(then) {
    return `
      const WebSocket = require(${JSON.stringify(require.resolve('ws'))})
      const uri = require(${JSON.stringify(require.resolve('../lib/uri'))})
      require(${emulator}).startRelayEmulator().then((relay) => {
        const { namespace, keyName, key } = relay
        const token = uri.createRelayToken(namespace + '/hyco', keyName, key)
        const options = { headers: { ServiceBusAuthorization: token } }
        const control = new WebSocket(uri.createRelayListenUri(namespace, 'hyco'), options)
        control.on('message', (data) => {
          const listener = new WebSocket(JSON.parse(data).accept.address, { perMessageDeflate: false })
          listener.on('message', (data) => listener.send(data))
        })
        control.on('open', () => {
          const sender = new WebSocket(uri.createRelaySendUri(namespace, 'hyco'), options)
          sender.on('open', () => {
            for (let n = 0; n < 100; n++) sender.send(Buffer.alloc(10_000))
          })
          let count = 0
          sender.on('message', (data) => {
            sender.send(data)
            if (++count === 500) (${then})()
          })
        })
      })
    `
  }
})
