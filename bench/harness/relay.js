'use strict'

// Starts the local relay of hyco-rs and makes the addresses and the token for it.

const { createHmac } = require('node:crypto')
const path = require('node:path')

const { start } = require('./program')

const PATH = 'bench'

/**
 * @param {object} server what the Rust program said; its certificate is used for TLS
 * @param {boolean} secure
 * @return {Promise<object>} pid, addresses, token, where HTTP requests go (`http`), and `stop()`
 */
async function startRelay(server, secure) {
  const options = {
    hybridConnections: [{ path: PATH, requiresClientAuthorization: false }],
    tls: secure ? { cert: server.ca, key: server.key } : false,
  }
  const script = path.join(__dirname, 'relay-process.js')
  const relay = await start(process.execPath, [script, JSON.stringify(options)])
  const base = `${relay.namespace.replace('127.0.0.1', secure ? 'localhost' : '127.0.0.1')}/$hc/${PATH}`
  return {
    ...relay,
    listenUrl: `${base}?sb-hc-action=listen`,
    connectUrl: `${base}?sb-hc-action=connect`,
    http: { host: new URL(relay.namespace).host, path: `/${PATH}` },
    token: sign(`http://localhost/${PATH}`, relay.keyName, relay.key),
  }
}

/** A token for an hour, made here so that no peer's code is needed for it. */
function sign(resource, keyName, key) {
  const expiry = Math.floor(Date.now() / 1000) + 3600
  const encoded = encodeURIComponent(resource)
  const hmac = createHmac('sha256', key).update(`${encoded}\n${expiry}`).digest('base64')
  const signature = encodeURIComponent(hmac)
  return `SharedAccessSignature sr=${encoded}&sig=${signature}&se=${expiry}&skn=${keyName}`
}

module.exports = { startRelay }
