// What has to work in every runtime, without a test runner, since not every runtime has the same one.
// `node checks.mjs` runs all in turn and writes one JSON line for each: {check, outcome}.

import { AsyncLocalStorage } from 'node:async_hooks'
import { spawn } from 'node:child_process'
import http from 'node:http'
import https from 'node:https'
import { createRequire } from 'node:module'
import { Worker } from 'node:worker_threads'
import hyco, { createRelayToken, relayedConnect, startRelayEmulator } from '../../index.mjs'

const DEADLINE = 60_000
const require = createRequire(import.meta.url)
const program = new URL('program.mjs', import.meta.url)

/** An event of an emitter, or its error. */
function event(emitter, name) {
  return new Promise((resolve, reject) => {
    emitter.once(name, (...args) => resolve(args))
    if (name !== 'error') emitter.once('error', reject)
  })
}

function equal(found, wanted, what) {
  if (found !== wanted) throw new Error(`${what}: ${found} instead of ${wanted}`)
}

/** A relay, a listener that echoes, and the address of a sender. */
async function withEcho(options, use) {
  const relay = await startRelayEmulator(options)
  const { namespace, keyName, key, certificate } = relay
  const tls = options.tls ? { ca: certificate } : undefined
  const server = hyco.createRelayedServer(
    { server: hyco.createRelayListenUri(namespace, 'hyco'), keyName, key, tls },
    (socket) => socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })),
  )
  await event(server, 'listening')
  const address = hyco.createRelaySendUri(namespace, 'hyco')
  try {
    await use({ address, token: createRelayToken(address, keyName, key), tls, relay, server })
  } finally {
    await new Promise((resolve) => server.close(resolve))
    await relay.close()
  }
}

async function echo(options) {
  await withEcho(options, async ({ address, token, tls }) => {
    const socket = relayedConnect(address, token, { tls })
    await event(socket, 'open')
    for (const length of [0, 5, 70_000, 3_000_000]) {
      const answer = event(socket, 'message')
      socket.send(Buffer.alloc(length, 7))
      const [data, isBinary] = await answer
      equal(data.length, length, 'length')
      equal(isBinary, true, 'binary')
      if (length > 0) equal(data[length - 1], 7, 'last byte')
    }
    socket.close(1000, 'done')
    const [code] = await event(socket, 'close')
    equal(code, 1000, 'code')
  })
}

/** A request with a body that comes back. */
async function ask(options) {
  await withEcho(options, async ({ relay, token, tls, server }) => {
    server.on('request', (request, response) => {
      response.statusCode = 201
      request.pipe(response)
    })
    const address = new URL(relay.namespace)
    const headers = { ServiceBusAuthorization: token }
    const body = 'x'.repeat(100_000)
    const sent = (tls ? https : http).request({
      ...tls,
      headers,
      host: address.hostname,
      method: 'POST',
      path: '/hyco/a?b=c',
      port: address.port,
    })
    sent.end(body)
    const [response] = await event(sent, 'response')
    let answer = ''
    for await (const chunk of response) answer += chunk
    equal(response.statusCode, 201, 'status')
    equal(answer, body, 'body')
  })
}

const checks = {
  'CommonJS and ES modules': () => {
    equal(require('../../index.js'), hyco, 'require')
    equal(hyco.relayedConnect, relayedConnect, 'named export')
  },

  tokens: () => {
    const token = createRelayToken('http://contoso.servicebus.windows.net/hyco', 'rule', 'key', 60)
    const form = /^SharedAccessSignature sr=http%3A%2F%2Fcontoso[^&]*&sig=[^&]+%3D&se=\d+&skn=rule$/
    equal(form.test(token), true, token)
  },

  'echo over TCP': () => echo({}),

  'echo over TLS': () => echo({ tls: true }),

  'HTTP over TCP': () => ask({}),

  'HTTP over TLS': () => ask({ tls: true }),

  AsyncLocalStorage: () =>
    withEcho({}, async ({ address, token }) => {
      const storage = new AsyncLocalStorage()
      const seen = await Promise.all(
        ['one', 'two'].map((name) =>
          storage.run(name, async () => {
            const socket = relayedConnect(address, token)
            const answer = new Promise((resolve, reject) => {
              socket.on('error', reject)
              socket.on('message', () => resolve(storage.getStore()))
            })
            await event(socket, 'open')
            socket.send('hello')
            const store = await answer
            socket.terminate()
            return store
          }),
        ),
      )
      equal(seen.join(), 'one,two', 'stores')
    }),

  'worker threads': async () => {
    const worker = new Worker(program)
    const [message] = await event(worker, 'message')
    equal(message, 'said hello', 'message')
    const [code] = await event(worker, 'exit')
    equal(code, 0, 'exit code')
  },

  'exit by itself': async () => {
    const child = spawn(RUNTIME[0], [...RUNTIME.slice(1), program.pathname], { stdio: 'pipe' })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text) => {
        output += text
      })
    }
    const [code] = await event(child, 'close')
    equal(code, 0, `exit code, with the output ${output}`)
    equal(output.trim(), 'said hello', 'output')
  },
}

/** How a child process of this runtime is started. */
const RUNTIME = process.env.SMOKE_RUNTIME
  ? JSON.parse(process.env.SMOKE_RUNTIME)
  : [process.execPath, ...(process.versions.deno ? ['run', '-A'] : [])]

let failed = 0
for (const [check, run] of Object.entries(checks)) {
  const late = new Promise((resolve, reject) => {
    setTimeout(reject, DEADLINE, new Error('it took too long')).unref?.()
  })
  const outcome = await Promise.race([Promise.resolve().then(run), late]).then(
    () => 'ok',
    (error) => String(error?.stack ?? error),
  )
  if (outcome !== 'ok') failed++
  console.log(JSON.stringify({ check, outcome }))
}
process.exit(failed)
