'use strict'

const { spawn } = require('node:child_process')

const ByteLines = require('./byte-lines')

/** Milliseconds between closing the input of a command, SIGTERM, and SIGKILL. */
const PATIENCE = 5000

/** Variables that hold a secret, and that a command does not need. */
const SECRETS = ['HYCO_CONNECTION_STRING', 'SB_HC_KEY']

/** Bytes that wait for one side before the other is not read any more. */
const HIGH_WATER = 1024 * 1024

/**
 * Runs a command for each sender.
 *
 * @param {String} command For the shell
 * @param {Terminal} terminal
 * @return {Object} A service of `listen`
 */
function createExec(command, terminal) {
  const running = new Set()
  return {
    connection(socket, request, { id, name }) {
      const child = start(command, request, id)
      const closed = new Promise((resolve) => child.once('close', resolve))
      running.add(closed)
      closed.then(() => running.delete(closed))
      child.once('error', (error) => {
        terminal.status(`${name} the command cannot run: ${error.message}`, {
          event: 'error',
          id,
          code: error.code,
        })
        socket.close(1011, 'the command cannot run')
      })
      join(socket, child)
    },
    async end() {
      await Promise.all(running)
    },
  }
}

/**
 * @param {String} command
 * @param {RelayedRequest} request
 * @param {String} id
 * @return {ChildProcess}
 */
function start(command, request, id) {
  const env = { ...process.env, HYCO_TRACKING_ID: id, HYCO_URL: request.url }
  if (request.socket.remoteAddress !== undefined) {
    env.HYCO_REMOTE_ADDRESS = request.socket.remoteAddress
  }
  for (const name of SECRETS) delete env[name]
  // A group of its own: Ctrl+C is for the listener, which then ends the command and its children.
  const detached = process.platform !== 'win32'
  return spawn(command, { detached, env, shell: true, stdio: ['pipe', 'pipe', 'inherit'] })
}

/**
 * @param {RelayedSocket} socket
 * @param {ChildProcess} child
 */
function join(socket, child) {
  const { stdin, stdout } = child
  socket.on('message', (data, isBinary) => {
    if (!stdin.writable) return
    stdin.write(data)
    if (!isBinary) stdin.write('\n')
    if (stdin.writableNeedDrain) {
      socket.pause()
      stdin.once('drain', () => socket.resume())
    }
  })
  // A command that does not read its input is no failure.
  stdin.on('error', () => {})
  const lines = new ByteLines(stdout)
  lines.on('line', (line) => {
    if (socket.readyState !== socket.OPEN) return
    socket.send(line, { binary: !isText(line) }, () => stdout.resume())
    if (socket.bufferedAmount > HIGH_WATER) stdout.pause()
  })
  lines.on('tooLong', () => {
    socket.close(1011, 'the command wrote a line that is too long')
    stdout.destroy() // or it would write on
  })
  child.once('close', (code, signal) => {
    // It takes no more input: the sender's close frame lies behind what it has not read.
    socket.resume()
    if (code === 0) socket.close(1000)
    else socket.close(1011, `the command ended with ${code ?? signal}`)
  })
  socket.once('close', () => {
    stdin.end()
    const timers = [
      setTimeout(() => kill(child, 'SIGTERM'), PATIENCE),
      setTimeout(() => kill(child, 'SIGKILL'), 2 * PATIENCE),
    ]
    child.once('close', () => timers.forEach(clearTimeout))
    if (child.exitCode !== null || child.signalCode !== null) timers.forEach(clearTimeout)
  })
}

/**
 * @param {Buffer} line
 * @return {Boolean} Whether it is UTF-8, as text has to be
 */
function isText(line) {
  return Buffer.from(line.toString()).equals(line)
}

/**
 * @param {ChildProcess} child
 * @param {String} signal
 */
function kill(child, signal) {
  if (child.pid === undefined) return
  try {
    // The shell and what it has started.
    process.kill(process.platform === 'win32' ? child.pid : -child.pid, signal)
  } catch (error) {
    if (error.code !== 'ESRCH') throw error
  }
}

module.exports = { createExec }
