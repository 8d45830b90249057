'use strict'

const dns = require('node:dns/promises')
const http = require('node:http')
const net = require('node:net')
const tls = require('node:tls')

const { EXIT, Failure } = require('./failure')
const { SocksError, askSocks } = require('./socks')

/**
 * The steps from a name to a connection, each with a failure of its own. `doctor` takes them one by
 * one, `dial` all at once.
 */

/**
 * @param {String} host
 * @param {Number} timeout Milliseconds
 * @return {Promise<String[]>} Its addresses
 */
async function resolve(host, timeout) {
  try {
    const found = await within(timeout, dns.lookup(bare(host), { all: true }))
    return found.map(({ address }) => address)
  } catch (cause) {
    throw networkFailure(`The name '${host}' has no address`, cause, {
      hint: 'Check how it is spelt, and that this machine can resolve names. A private endpoint needs the DNS of its network.',
    })
  }
}

/**
 * @param {String} host
 * @param {Number} port
 * @param {Number} timeout Milliseconds
 * @return {Promise<net.Socket>} Connected
 */
function connectTcp(host, port, timeout) {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host: bare(host), port })
    const timer = setTimeout(() => socket.destroy(timedOut(timeout)), timeout)
    socket.once('error', (cause) => {
      clearTimeout(timer)
      const hint =
        cause.code === 'ECONNREFUSED'
          ? 'Nothing listens there. Check the port, and whether the relay or the proxy runs.'
          : 'A firewall may stop it. The relay needs outgoing connections to port 443.'
      reject(networkFailure(`${host}:${port} cannot be reached`, cause, { hint }))
    })
    socket.once('connect', () => {
      clearTimeout(timer)
      resolve(socket)
    })
  })
}

/**
 * Asks a proxy for a way.
 *
 * @param {net.Socket} socket The connection to the proxy
 * @param {URL} proxy
 * @param {Target} target Where to, and whom to trust on the way
 * @return {Promise<stream.Duplex>} A connection that leads on
 */
async function tunnel(socket, proxy, { network, timeout, url }) {
  if (proxy.protocol.startsWith('socks')) return tunnelBySocks(socket, proxy, url, timeout)
  const way =
    proxy.protocol === 'https:' ? await secure(socket, proxy, network.tls, timeout) : socket
  return tunnelByConnect(way, proxy, url, timeout)
}

async function tunnelBySocks(socket, proxy, url, timeout) {
  try {
    await within(timeout, askSocks(socket, proxy, bare(url.hostname), portOf(url)))
    return socket
  } catch (cause) {
    socket.destroy()
    if (!(cause instanceof SocksError)) {
      throw networkFailure(`The proxy ${proxy.host} does not answer`, cause, { hint: PROXY_HINT })
    }
    const hint = /password|signed in/.test(cause.message) ? PASSWORD_HINT : PROXY_HINT
    throw new Failure(`The proxy ${proxy.host} ${cause.message}.`, {
      exit: EXIT.network,
      hint,
      cause,
    })
  }
}

function tunnelByConnect(socket, proxy, url, timeout) {
  const path = `${url.hostname}:${portOf(url)}`
  const headers = { Host: path }
  if (proxy.username !== '' || proxy.password !== '') {
    const user = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`
    headers['Proxy-Authorization'] = `Basic ${Buffer.from(user).toString('base64')}`
  }
  return new Promise((resolve, reject) => {
    const options = {
      createConnection: () => socket,
      headers,
      method: 'CONNECT',
      path,
    }
    const request = http.request(options)
    const timer = setTimeout(() => request.destroy(timedOut(timeout)), timeout)
    request.once('error', (cause) => {
      clearTimeout(timer)
      reject(networkFailure(`The proxy ${proxy.host} does not answer`, cause, { hint: PROXY_HINT }))
    })
    request.once('connect', ({ statusCode, statusMessage }) => {
      clearTimeout(timer)
      if (statusCode === 200) {
        resolve(socket)
        return
      }
      socket.destroy()
      const message = `The proxy ${proxy.host} answers ${statusCode} ${statusMessage}`
      const hint = statusCode === 407 ? PASSWORD_HINT : PROXY_HINT
      reject(new Failure(`${message}.`, { exit: EXIT.network, hint }))
    })
    request.end()
  })
}

/**
 * @param {net.Socket} socket
 * @param {URL} url Where it leads
 * @param {Object} [options] `ca` and `rejectUnauthorized`
 * @param {Number} timeout Milliseconds
 * @return {Promise<tls.TLSSocket>} Encrypted, and trusted unless it need not be
 */
function secure(socket, url, options, timeout) {
  const trusting =
    options?.rejectUnauthorized === false || process.env.NODE_TLS_REJECT_UNAUTHORIZED === '0'
  return new Promise((resolve, reject) => {
    const host = bare(url.hostname)
    const servername = net.isIP(host) === 0 ? host : undefined
    // A certificate that is not trusted can be looked at only where the handshake goes on.
    const secured = tls.connect({ ...options, host, rejectUnauthorized: false, servername, socket })
    const fail = (problem, cause) => {
      clearTimeout(timer)
      secured.destroy()
      socket.destroy()
      reject(new Failure(problem.text, { exit: EXIT.network, hint: problem.hint, cause }))
    }
    const timer = setTimeout(() => secured.destroy(timedOut(timeout)), timeout)
    secured.on('error', (error) => fail(handshakeProblem(error), error))
    secured.once('secureConnect', () => {
      clearTimeout(timer)
      if (secured.authorized || trusting) resolve(secured)
      else fail(certificateProblem(secured.authorizationError, secured.getPeerCertificate()))
    })
  })
}

/**
 * Connects to the relay, through the proxy if there is one.
 *
 * @param {Target} target
 * @param {(URL|undefined)} proxy
 * @return {Promise<net.Socket>} Encrypted if the address says so
 */
async function dial(target, proxy) {
  const { network, timeout, url } = target
  const to = proxy ?? url
  let socket = await connectTcp(to.hostname, portOf(to), timeout)
  if (proxy !== undefined) socket = await tunnel(socket, proxy, target)
  return url.protocol === 'wss:' ? secure(socket, url, network.tls, timeout) : socket
}

const PROXY_HINT =
  'Check the address of the proxy and its kind, and that it lets CONNECT pass to the relay on port 443.'

const PASSWORD_HINT =
  'It wants a user and a password, or others: SCHEME://USER:PASSWORD@HOST:PORT, percent-encoded.'

/**
 * Says in words what is wrong with a TLS handshake.
 *
 * @param {Error} error
 * @return {Object} `text` and `hint`
 */
function handshakeProblem({ code, message }) {
  if (code === 'EPROTO' || /packet length|wrong version/i.test(message)) {
    return {
      text: 'What answers there speaks no TLS.',
      hint: 'Use ws:// for a local relay without TLS, and check the port and the proxy.',
    }
  }
  return {
    text: `The TLS handshake failed: ${message}`,
    hint: 'A proxy or firewall on the way may end it. Check the port, and TLS 1.2 or 1.3.',
  }
}

/**
 * Says in words why a certificate is not trusted.
 *
 * @param {String} code Node's own
 * @param {Object} certificate
 * @return {Object} `text` and `hint`
 */
function certificateProblem(code, { issuer, subjectaltname, valid_from: start, valid_to: end }) {
  const clock = 'Check the clock of this machine. If it is right, the certificate must be renewed.'
  switch (String(code)) {
    case 'CERT_HAS_EXPIRED':
      return { text: `The certificate ended on ${end}.`, hint: clock }
    case 'CERT_NOT_YET_VALID':
      return { text: `The certificate is not valid yet, but from ${start} on.`, hint: clock }
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return {
        text: `The certificate is for another name: ${subjectaltname}.`,
        hint: 'Check the namespace. A proxy or a DNS entry may lead to another server.',
      }
    default: {
      const by = issuer?.CN ?? issuer?.O ?? 'somebody'
      return {
        text: `The certificate is signed by ${by}, whom this machine does not trust (${code}).`,
        hint: 'If your company re-encrypts, or the relay is the local one, name its certificate with --ca FILE or NODE_EXTRA_CA_CERTS.',
      }
    }
  }
}

/**
 * @param {String} what
 * @param {Error} cause
 * @param {Object} options `hint`
 * @return {Failure}
 */
function networkFailure(what, cause, { hint }) {
  const reasons = cause.errors ?? [cause]
  const why = [...new Set(reasons.map(({ code, message }) => code ?? message))].join(', ')
  return new Failure(`${what}: ${why}.`, { exit: EXIT.network, hint, cause })
}

/**
 * @param {Number} timeout Milliseconds
 * @return {Error}
 */
function timedOut(timeout) {
  return new Error(`no answer within ${timeout / 1000} s`)
}

/**
 * @param {Number} timeout Milliseconds
 * @param {Promise} promise
 * @return {Promise} The same, or rejected when it takes too long
 */
function within(timeout, promise) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(timedOut(timeout)), timeout)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

/**
 * @param {URL} url
 * @return {Number}
 */
function portOf({ port, protocol }) {
  if (port !== '') return Number(port)
  if (protocol.startsWith('socks')) return 1080
  return protocol === 'wss:' || protocol === 'https:' ? 443 : 80
}

/**
 * @param {String} host
 * @return {String} Without the brackets of an IPv6 address
 */
function bare(host) {
  return host.replace(/^\[|\]$/g, '')
}

module.exports = { connectTcp, dial, portOf, resolve, secure, tunnel }
