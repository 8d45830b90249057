'use strict'

const { once } = require('node:events')
const http = require('node:http')

const hyco = require('../..')
const TestRelay = require('./relay')

/**
 * A local relay with a hybrid connection that anybody may send to, and a server at it.
 */
class HttpSetting {
  /**
   * @param {Object} [options] Those of the server
   * @param {Object} [relayOptions] Those of the relay
   * @return {Promise<HttpSetting>}
   */
  static async start(options = {}, relayOptions = {}) {
    const setting = new HttpSetting()
    setting.relay = await TestRelay.start({
      hybridConnections: [{ path: 'hyco', requiresClientAuthorization: false }],
      ...relayOptions,
    })
    setting.errors = []
    if (options !== null) {
      const uri = setting.relay.listenUri('hyco')
      const server = new hyco.RelayedServer({
        server: uri,
        token: setting.relay.token(),
        tls: setting.relay.ca ? { ca: setting.relay.ca } : undefined,
        ...options,
      })
      server.on('requestError', (error, info) => setting.errors.push({ code: error.code, info }))
      setting.server = server
      await once(server, 'listening')
    }
    return setting
  }

  /** Where HTTP requests go. */
  get url() {
    return `${this.relay.namespace.replace(/^ws/, 'http')}/hyco`
  }

  /**
   * Sends a request as `fetch` does.
   *
   * @param {String} [suffix] Behind the hybrid connection
   * @param {Object} [init]
   * @return {Promise<Response>}
   */
  fetch(suffix = '', init = {}) {
    return fetch(this.url + suffix, init)
  }

  /**
   * Sends a request with Node's client, which shows what came as it came.
   *
   * @param {String} suffix
   * @param {Object} [options]
   * @param {(Buffer|String)} [body]
   * @return {Promise<Object>} the response, with its `body`
   */
  async request(suffix, options = {}, body = undefined) {
    const request = http.request(this.url + suffix, { agent: false, ...options })
    request.end(body)
    const [response] = await once(request, 'response')
    const chunks = []
    for await (const chunk of response) chunks.push(chunk)
    return Object.assign(response, { body: Buffer.concat(chunks) })
  }

  /** Ends all of it. */
  async close() {
    await this.server?.close()
    await this.relay.close()
  }
}

/** Tells what a request was. */
function mirror(req, res) {
  const chunks = []
  req.on('data', (chunk) => chunks.push(chunk))
  req.on('end', () => {
    const { method, url, headers, rawHeaders, socket } = req
    const { remoteAddress, remotePort, encrypted, trackingId } = socket
    const body = Buffer.concat(chunks).toString('base64')
    const seen = { method, url, headers, rawHeaders, body, remoteAddress, remotePort, encrypted }
    res.setHeader('content-type', 'application/json')
    res.end(JSON.stringify({ ...seen, trackingId }))
  })
}

/** Waits until something holds. */
async function until(holds) {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5))
}

module.exports = Object.assign(HttpSetting, { mirror, until })
