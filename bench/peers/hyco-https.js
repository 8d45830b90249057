'use strict'

// hyco-https 1.4.5 as published, unpacked in a temporary folder with the two dependencies that it uses.

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')

const home = path.join(os.tmpdir(), 'hyco-rs-bench', 'hyco-https-1.4.5')
const folder = path.join(home, 'node_modules', 'hyco-https')

function install() {
  if (fs.existsSync(path.join(folder, 'index.js'))) return
  fs.mkdirSync(home, { recursive: true })
  const options = { cwd: home, stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' }
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund']
  fs.writeFileSync(path.join(home, 'package.json'), '{ "private": true }\n')
  execFileSync('npm', ['install', ...flags, 'ws@6.2.3', 'moment@2'], options)
  const packed = execFileSync('npm', ['pack', 'hyco-https@1.4.5'], options)
  fs.mkdirSync(folder, { recursive: true })
  const file = packed.trim().split('\n').at(-1)
  execFileSync('tar', ['-xzf', file, '-C', folder, '--strip-components=1'], options)
}

module.exports = {
  title: 'hyco-https 1.4.5',
  relayed: true,

  available() {
    try {
      install()
      return true
    } catch (error) {
      console.error(`hyco-https is left out: ${error.message.split('\n')[0]}`)
      return false
    }
  },

  serve(handler, relay) {
    const https = require(folder)
    const { listenUrl: server, token } = relay
    const listener = https.createRelayedServer({ server, token }, handler)
    return new Promise((resolve, reject) => {
      listener.once('listening', () => resolve(relay.http))
      listener.once('error', reject)
      listener.listen()
    })
  },
}
