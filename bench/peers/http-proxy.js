'use strict'

// A plain reverse proxy in Rust: the measure for relaying HTTP.

const { start } = require('../harness/program')
const { handler } = require('../harness/http-handler')
const { serve } = require('./http-server')

module.exports = {
  title: 'HTTP proxy on hyper',

  async start({ program }) {
    const { host } = await serve(handler)
    const proxy = await start(program, ['http-proxy', host.split(':')[1]])
    return { ...proxy, host: `127.0.0.1:${proxy.tcp}`, path: '' }
  },
}
