'use strict'

const { spawn } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')

const subject = require('./subject')
const { summarise } = require('./summary')

/** Sections 8 and 11 do not exist, 12 and 13 are about compression, which a relay cannot carry. */
const CASES = ['1.*', '2.*', '3.*', '4.*', '5.*', '6.*', '7.*', '9.*', '10.*']

/** Milliseconds until the fuzzing server must answer; it starts in one or two seconds. */
const START_TIMEOUT = 30_000

/** Milliseconds after which a run is hung: one takes some minutes. */
const RUN_TIMEOUT = 20 * 60_000

/**
 * Runs the suite against the subject as a client and as a listener.
 *
 * @param {String} wstest The suite's program
 * @param {String} folder Where reports go
 * @return {Promise<Boolean>} Whether every case passed
 */
async function run(wstest, folder) {
  await testClient(wstest, folder)
  await testListener(wstest, folder)
  const outcome = summarise(subject.name, {
    client: readIndex(folder, 'client'),
    listener: readIndex(folder, 'listener'),
  })
  process.stdout.write(outcome.text)
  if (subject.name === 'hyco-rs') {
    fs.writeFileSync(path.join(__dirname, '../../docs/autobahn.md'), outcome.text)
  }
  return outcome.passed
}

/**
 * Lets the suite's server test the subject's client.
 *
 * @param {String} wstest The suite's program
 * @param {String} folder Where reports go
 */
async function testClient(wstest, folder) {
  const address = `ws://127.0.0.1:${await freePort()}`
  const spec = { url: address, outdir: path.join(folder, 'client'), cases: CASES }
  const suite = startSuite(wstest, 'fuzzingserver', spec, folder)
  try {
    const count = Number(await readCount(address))
    for (let number = 1; number <= count; number++) {
      await echo(`${address}/runCase?case=${number}&agent=${subject.name}`)
      if (number % 50 === 0) process.stdout.write(`client: ${number} of ${count} cases\n`)
    }
    await echo(`${address}/updateReports?agent=${subject.name}`)
  } finally {
    suite.kill()
    await suite.ended
  }
}

/**
 * Lets the suite's client test the subject's listener.
 *
 * @param {String} wstest The suite's program
 * @param {String} folder Where reports go
 */
async function testListener(wstest, folder) {
  const listener = await subject.listen(echoOn)
  const spec = {
    outdir: path.join(folder, 'listener'),
    servers: [{ agent: subject.name, url: listener.address }],
    cases: CASES,
  }
  try {
    await startSuite(wstest, 'fuzzingclient', spec, folder).ended
  } finally {
    await listener.close()
  }
}

/**
 * Starts the suite.
 *
 * @param {String} wstest Its program
 * @param {String} mode Which part of it
 * @param {Object} spec Its configuration
 * @param {String} folder Where the configuration is written
 * @return {ChildProcess} With `ended`, a promise of its end
 */
function startSuite(wstest, mode, spec, folder) {
  const file = path.join(folder, `${mode}.json`)
  const log = fs.openSync(path.join(folder, `${mode}.log`), 'w')
  fs.writeFileSync(
    file,
    JSON.stringify({ ...spec, 'exclude-cases': [], 'exclude-agent-cases': {} }),
  )
  const suite = spawn(wstest, ['-m', mode, '-s', file], {
    cwd: folder,
    stdio: ['ignore', log, log],
    timeout: RUN_TIMEOUT,
  })
  suite.ended = once(suite, 'exit').finally(() => fs.closeSync(log))
  return suite
}

/**
 * Asks the suite's server how many cases there are, as soon as it is there.
 *
 * @param {String} address Where it is
 * @return {Promise<String>}
 */
async function readCount(address) {
  const deadline = Date.now() + START_TIMEOUT
  for (;;) {
    const socket = subject.connect(`${address}/getCaseCount`)
    let count
    socket.on('message', (data) => {
      count = data.toString()
    })
    socket.on('error', () => {})
    await new Promise((resolve) => socket.on('close', resolve))
    if (count !== undefined) return count
    if (Date.now() > deadline) throw new Error('the fuzzing server does not answer')
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/**
 * Opens a socket that sends back what it receives, until it is closed.
 *
 * @param {String} address Where to
 */
async function echo(address) {
  const socket = subject.connect(address)
  echoOn(socket)
  await new Promise((resolve) => socket.on('close', resolve))
}

/**
 * Makes a socket send back what it receives.
 *
 * @param {WebSocket} socket
 */
function echoOn(socket) {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
  // Most cases break the protocol; the socket closes, and the suite judges how.
  socket.on('error', () => {})
}

/**
 * The suite cannot choose a port itself.
 *
 * @return {Promise<Number>}
 */
async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

/**
 * @param {String} folder Where reports are
 * @param {String} side `client` or `listener`
 * @return {Object} Outcomes by case
 */
function readIndex(folder, side) {
  const index = JSON.parse(fs.readFileSync(path.join(folder, side, 'index.json'), 'utf8'))
  return index[subject.name]
}

/** Ends with 1 unless every case passed. */
async function main() {
  const [wstest, folder] = process.argv.slice(2)
  process.exitCode = (await run(wstest, folder)) ? 0 : 1
}

main()
