'use strict'

// hyco-ws 1.0.5 as published. It cannot be installed by its name (a dependency of it has no version
// that fits), so it is unpacked in a temporary folder with the two dependencies that it uses.

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')

const home = path.join(os.tmpdir(), 'hyco-rs-bench', 'hyco-ws-1.0.5')
const folder = path.join(home, 'node_modules', 'hyco-ws')

function install() {
  if (fs.existsSync(path.join(folder, 'index.js'))) return
  fs.mkdirSync(home, { recursive: true })
  const options = { cwd: home, stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' }
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund']
  fs.writeFileSync(path.join(home, 'package.json'), '{ "private": true }\n')
  execFileSync('npm', ['install', ...flags, 'ws@1.1.5', 'moment@2'], options)
  const packed = execFileSync('npm', ['pack', 'hyco-ws@1.0.5'], options).trim().split('\n').at(-1)
  fs.mkdirSync(folder, { recursive: true })
  execFileSync('tar', ['-xzf', packed, '-C', folder, '--strip-components=1'], options)
}

module.exports = {
  title: 'hyco-ws 1.0.5',

  available() {
    try {
      install()
      return true
    } catch (error) {
      console.error(`hyco-ws is left out: ${error.message.split('\n')[0]}`)
      return false
    }
  },

  // The certificate of the other end reaches hyco-ws through NODE_EXTRA_CA_CERTS.
  listen(url, { token }, opened) {
    const { RelayedServer } = require(folder)
    const server = new RelayedServer({ server: url, token })
    server.on('connection', (socket) => {
      socket.on('open', () => opened(socket))
    })
    return new Promise((resolve, reject) => {
      server.once('listening', () => resolve(server))
      server.once('error', (event) => reject(event.error ?? new Error(event.message)))
    })
  },

  receive(socket, listener) {
    socket.on('message', listener)
  },

  sendAndDrain(socket, data, resume) {
    socket.send(data, resume)
  },
}
