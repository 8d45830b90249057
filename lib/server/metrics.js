'use strict'

/** What a server counts, in order: whether it goes up and down, and what it is. */
const METRICS = {
  accepted: [false, 'Senders whose socket was opened.'],
  rejected: [false, 'Senders that were refused.'],
  failed: [false, 'Senders that were accepted, but not met.'],
  abandoned: [false, 'Senders that left before they were met.'],
  active: [true, 'Sockets that are open.'],
  pending: [true, 'Senders that wait for a decision or for their rendezvous.'],
  reconnects: [false, 'How often the control channel came back.'],
  requests: [false, 'HTTP requests and upgrades that a server was given.'],
  activeRequests: [true, 'HTTP requests that are open.'],
  failedRequests: [false, 'HTTP requests that were not served.'],
}

/** What is in the text beside the counts. */
const ONLINE = [true, 'Servers whose control channel is up.']

const kLabels = Symbol('labels')

/**
 * Counts of a server, which can be written for Prometheus.
 *
 * @param {Object} counts By the names of `METRICS`
 * @param {Object} server
 * @param {String} server.path
 * @param {Boolean} server.online Whether its control channel is up
 * @return {Object} The counts alone, for those who list them, and a method `prometheus`
 */
function metricsOf(counts, { path, online }) {
  const metrics = {}
  for (const name of Object.keys(METRICS)) metrics[name] = counts[name]
  Object.defineProperty(metrics, kLabels, { value: { path, online } })
  const prometheus = (...others) => exposition([metrics, ...others])
  Object.defineProperty(metrics, 'prometheus', { value: prometheus })
  return metrics
}

/**
 * @param {Object[]} all What `metricsOf` made of the servers of a process
 * @return {String} The text format of Prometheus; servers of one path are summed up, since a series may
 *     be there once
 * @throws {TypeError} for what is no such object
 */
function exposition(all) {
  const lines = []
  const write = (name, [isGauge, help], valueOf) => {
    const metric = `hyco_${snake(name)}${isGauge ? '' : '_total'}`
    lines.push(`# HELP ${metric} ${help}`, `# TYPE ${metric} ${isGauge ? 'gauge' : 'counter'}`)
    const sums = new Map()
    for (const metrics of all) {
      const labels = metrics?.[kLabels]
      if (labels === undefined) throw new TypeError('prometheus() takes what metrics() returns')
      sums.set(labels.path, (sums.get(labels.path) ?? 0) + valueOf(metrics))
    }
    for (const [path, sum] of sums) lines.push(`${metric}{path="${escape(path)}"} ${sum}`)
  }
  write('online', ONLINE, (metrics) => Number(metrics[kLabels].online))
  for (const [name, about] of Object.entries(METRICS)) write(name, about, (it) => it[name])
  return `${lines.join('\n')}\n`
}

function snake(name) {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

/** As the format wants it of the value of a label. */
function escape(value) {
  return value.replace(/[\\"\n]/g, (char) => (char === '\n' ? '\\n' : `\\${char}`))
}

module.exports = { metricsOf }
