'use strict'

// All questions, or those named; what they need is installed first.

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')

if (!fs.existsSync(path.join(__dirname, 'node_modules', 'ws'))) {
  // `bufferutil` brings its binary: nothing has to be compiled.
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund']
  const options = { cwd: __dirname, stdio: 'inherit', shell: process.platform === 'win32' }
  execFileSync('npm', ['ci', ...flags], options)
}
require('./harness/main').run()
