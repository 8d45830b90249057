'use strict'

const readline = require('node:readline')
const { setTimeout: sleep } = require('node:timers/promises')

const ByteLines = require('../byte-lines')
const { usageError } = require('../failure')
const { showClose, showMessage } = require('../messages')
const { ended, openSender } = require('../sender')
const { findTarget } = require('../target')
const { interruption } = require('../terminal')

/** Lines that `--slash` takes as commands. */
const COMMAND = /^\/(ping|pong|close)(?:\s+(.*))?$/

/**
 * Talks to a listener, line by line.
 *
 * @param {Object} values
 * @param {String[]} positionals
 * @param {Terminal} terminal
 * @return {Promise<Number>} The exit code
 */
async function connect(values, positionals, terminal) {
  const target = findTarget(values)
  const signal = interruption()
  const socket = await openSender(target, values, terminal, signal)
  const lines = createLines()
  const prompt = lines.terminal && !terminal.json ? '> ' : ''
  if (lines.terminal) lines.setPrompt(prompt)
  /** Writes something above the line that is being typed. */
  const above = (write) => {
    if (prompt !== '') readline.cursorTo(process.stdout, 0)
    if (prompt !== '') readline.clearLine(process.stdout, 0)
    write()
    if (prompt !== '') lines.prompt(true)
  }
  terminal.status(`connected to ${target.name}`, { event: 'open', protocol: socket.protocol })
  const label = terminal.style('green', '< ')
  socket.on('message', (data, isBinary) =>
    above(() => showMessage(terminal, socket, data, isBinary, { label })),
  )
  if (values.slash) {
    for (const name of ['ping', 'pong']) {
      socket.on(name, (data) =>
        above(() =>
          terminal.status(`${name} ${data}`.trimEnd(), { event: name, data: String(data) }),
        ),
      )
    }
  }
  const asked = { code: undefined }
  const end = ended(socket, asked)
  const stop = () => {
    socket.close(1000)
    lines.close()
  }
  signal.addEventListener('abort', stop)
  lines.on('SIGINT', stop)
  socket.on('close', (code, reason) => {
    lines.close()
    process.stdin.destroy()
    showClose(terminal, code, reason)
  })
  if (prompt !== '') lines.prompt()
  socket.resume()
  const run = (command) => {
    try {
      runCommand(socket, command, asked)
    } catch (error) {
      above(() => terminal.error(`/${command[1]} cannot be done: ${error.message}`))
    }
  }
  let tooLong
  lines.once('tooLong', () => {
    tooLong = usageError(
      'A line of standard input is longer than 100 MiB.',
      "'hyco-rs send' sends standard input as one message.",
    )
  })
  await Promise.all([sendLines(lines, socket, values, run, signal), end])
  if (tooLong !== undefined) throw tooLong
  return 0
}

/**
 * Reads standard input by lines, which are bytes unless somebody types them.
 *
 * @return {(Interface|ByteLines)}
 */
function createLines() {
  const { stdin, stdout } = process
  if (!stdin.isTTY) return new ByteLines(stdin)
  return readline.createInterface({
    input: stdin,
    output: stdout.isTTY ? stdout : undefined,
    terminal: Boolean(stdout.isTTY),
  })
}

/**
 * Sends every line, and closes at the end of the input.
 *
 * @param {(Interface|ByteLines)} lines
 * @param {RelayedSocket} socket
 * @param {Object} values
 * @param {Function} run Does what `COMMAND` found
 * @param {AbortSignal} signal Aborted when there is to be no more waiting
 */
async function sendLines(lines, socket, { binary = false, slash = false, wait }, run, signal) {
  const given = new Promise((resolve) => lines.once('close', resolve))
  // Lines are read as they come, and the input waits while the network is slower.
  lines.on('line', (line) => {
    if (socket.readyState !== socket.OPEN) return
    const command = slash ? COMMAND.exec(String(line)) : null
    if (command !== null) run(command)
    else socket.send(binary ? Buffer.from(line) : String(line), () => lines.resume())
    if (socket.bufferedAmount > 1024 * 1024) lines.pause()
    if (lines.terminal) lines.prompt()
  })
  await given
  if (wait !== undefined && socket.readyState === socket.OPEN) {
    const over = new AbortController()
    socket.once('close', () => over.abort())
    signal.addEventListener('abort', () => over.abort())
    await sleep(wait, undefined, { signal: over.signal }).catch(() => {})
  }
  socket.close(1000)
}

/**
 * @param {RelayedSocket} socket
 * @param {String[]} command What `COMMAND` found
 * @param {Object} asked Receives the `code` with which the connection is to end
 * @throws {Error} for what a control frame cannot hold
 */
function runCommand(socket, [, name, rest = ''], asked) {
  if (name !== 'close') {
    socket[name](rest)
    return
  }
  const [, code, reason] = /^(\d*)\s*(.*)$/.exec(rest)
  const wanted = Number(code || 1000)
  socket.close(wanted, reason)
  asked.code = wanted
}

module.exports = connect
