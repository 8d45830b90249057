'use strict'

const http = require('node:http')

const { connectTcp, portOf, resolve, secure, tunnel } = require('../dial')
const { EXIT, Failure } = require('../failure')
const { findProxy } = require('../proxy')

/** Seconds of difference between two clocks that are worth a word, and that are too much. */
const SKEW = { warning: 30, failure: 240 }

/** Days before the end of a certificate from which on there is a word about it. */
const SOON = 14

const DAY = 24 * 60 * 60 * 1000

/**
 * Checks the way to the relay: proxy, name, TCP, TLS and clock.
 *
 * @param {Checkup} checkup
 * @param {Target} target
 * @return {Promise<Boolean>} Whether the relay was reached
 */
async function checkNetwork(checkup, target) {
  const { timeout, url } = target
  let proxy
  const found = await checkup.run('proxy', () => {
    proxy = findProxy(target.network, url)
    const from = target.network.proxy === undefined ? 'the environment' : '--proxy'
    return proxy === undefined ? 'none' : `${proxy.protocol}//${proxy.host}, from ${from}`
  })
  if (!found) return false
  const first = proxy ?? url
  const named = await checkup.run('name', async () => {
    const addresses = await resolve(first.hostname, timeout)
    return `${first.hostname} is ${addresses.join(', ')}`
  })
  if (!named) return false
  let socket
  const connected = await checkup.run('TCP', async () => {
    socket = await connectTcp(first.hostname, portOf(first), timeout)
    return `${first.hostname}:${portOf(first)} takes connections`
  })
  if (!connected) return false
  try {
    if (proxy !== undefined) {
      const leads = await checkup.run('tunnel', async () => {
        socket = await tunnel(socket, proxy, target)
        return `the proxy leads to ${url.hostname}:${portOf(url)}`
      })
      if (!leads) return false
    }
    if (url.protocol !== 'wss:') checkup.skip('TLS', 'the address is not encrypted')
    else {
      const plain = socket
      const trusted = await checkup.run('TLS', async () => {
        socket = await secure(plain, url, target.network.tls, timeout)
        return describe(socket)
      })
      if (!trusted) return false
      warnOfCertificate(checkup, socket)
    }
    await checkClock(checkup, socket, target)
    return true
  } finally {
    socket.destroy()
  }
}

/**
 * @param {tls.TLSSocket} socket
 * @return {String}
 */
function describe(socket) {
  const { issuer, valid_to: end } = socket.getPeerCertificate()
  const by = issuer?.CN ?? issuer?.O ?? 'nobody'
  return `${socket.getProtocol()}, certificate of ${by}, until ${end}`
}

/**
 * @param {Checkup} checkup
 * @param {tls.TLSSocket} socket
 */
function warnOfCertificate(checkup, socket) {
  const end = new Date(socket.getPeerCertificate().valid_to)
  if (!socket.authorized) {
    checkup.warn(
      'certificate',
      `it was not checked, and would be refused: ${socket.authorizationError}`,
      'Leave out --insecure outside of tests, and name the certificate with --ca FILE.',
    )
  } else if (end - Date.now() < SOON * DAY) {
    const days = Math.floor((end - Date.now()) / DAY)
    const left = days < 1 ? 'less than a day' : days === 1 ? '1 day' : `${days} days`
    checkup.warn('certificate', `it ends in ${left}`, 'See that it is renewed in time.')
  }
}

/**
 * Compares the clock with the relay's: a token that this clock makes may have ended there.
 *
 * @param {Checkup} checkup
 * @param {net.Socket} socket
 * @param {Target} target
 */
async function checkClock(checkup, socket, { timeout, url }) {
  const asked = Date.now()
  let date
  try {
    date = await askDate(socket, url, timeout)
  } catch (error) {
    checkup.fail('clock', error)
    return
  }
  if (Number.isNaN(date)) {
    checkup.skip('clock', 'the relay does not tell its time')
    return
  }
  // The time has no fraction of a second, and was told between asking and now.
  const ahead = Math.round(((asked + Date.now()) / 2 - date) / 1000 - 0.5)
  const skew = Math.abs(ahead)
  const detail = `this clock is ${skew} s ${ahead < 0 ? 'behind' : 'ahead of'} the relay's`
  const hint = 'Set the clock of this machine (NTP): tokens are valid by the time of the relay.'
  if (skew > SKEW.failure) {
    checkup.fail('clock', new Failure(detail, { exit: EXIT.unauthorized, hint }))
  } else if (skew > SKEW.warning) checkup.warn('clock', detail, hint)
  else checkup.pass('clock', detail)
}

/**
 * @param {net.Socket} socket
 * @param {URL} url
 * @param {Number} timeout Milliseconds
 * @return {Promise<Number>} The time in the answer; NaN if it has none
 */
function askDate(socket, { host }, timeout) {
  return new Promise((resolve, reject) => {
    const message = http.request({
      createConnection: () => socket,
      headers: { Host: host },
      path: '/',
    })
    const late = () => message.destroy(new Error(`no answer within ${timeout / 1000} s`))
    const timer = setTimeout(late, timeout)
    message.once('response', (response) => {
      clearTimeout(timer)
      response.destroy()
      resolve(Date.parse(response.headers.date))
    })
    message.once('error', ({ code, message }) => {
      clearTimeout(timer)
      const hint = code?.startsWith('HPE_')
        ? 'Check the port: what answers there speaks no HTTP.'
        : 'Check the port, the firewall, and whether a proxy is needed: something takes connections there and does not answer.'
      reject(new Failure(`An HTTP request failed: ${message}`, { exit: EXIT.network, hint }))
    })
    message.end()
  })
}

module.exports = { checkNetwork }
