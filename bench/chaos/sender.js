'use strict'

// The senders of the chaos run: each asks one thing after the other and checks what comes back.

const { Buffer } = require('node:buffer')
const { once } = require('node:events')
const http = require('node:http')

const { KINDS } = require('./requests')

const SENDERS = 24
/** One request in so many is left by its sender. */
const LEAVES = 25
/** The relay answers after 15 s itself, so what takes longer is lost. */
const PATIENCE = 30_000

/**
 * Asks until `over()`.
 *
 * @param {{host: string, path: string}} place
 * @param {function(): boolean} over
 * @param {number} next the number of the first request
 * @return {Promise<Object>} how many were answered, left and broken, and the failures
 */
async function ask(place, over, next) {
  const result = { answered: 0, left: 0, broken: [], failures: [] }
  const agent = new http.Agent({ keepAlive: true, maxSockets: SENDERS })
  const names = Object.keys(KINDS)
  const run = async () => {
    while (!over()) {
      const id = next++
      const kind = names[Math.floor(Math.random() * names.length)]
      const started = Date.now()
      try {
        const outcome = await one(agent, place, kind, id)
        result[outcome]++
      } catch (error) {
        const list = error.isWrong ? result.failures : result.broken
        list.push({ kind, id, started, ended: Date.now(), text: error.message })
      }
    }
  }
  await Promise.all(Array.from({ length: SENDERS }, run))
  agent.destroy()
  return result
}

async function one(agent, { host, path }, kind, id) {
  const { body, expected, status = 200 } = KINDS[kind]
  const bytes = body?.(id)
  const [hostname, port] = host.split(':')
  const request = http.request({
    agent,
    hostname,
    port,
    path: `${path}/${kind}/${id}`,
    method: bytes ? 'POST' : 'GET',
    headers: bytes ? { 'content-length': bytes.length } : {},
    timeout: PATIENCE,
  })
  request.on('timeout', () => request.destroy(wrong(`no answer within ${PATIENCE} ms`)))
  request.end(bytes)
  if (id % LEAVES === 0) {
    request.on('error', () => {})
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 50))
    request.destroy()
    return 'left'
  }
  const [response] = await once(request, 'response')
  const chunks = []
  for await (const chunk of response) chunks.push(chunk)
  if (status !== 200 && response.statusCode === status) return 'answered'
  if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}`)
  if (response.headers['x-id'] !== String(id)) throw wrong(`answer of ${response.headers['x-id']}`)
  if (!Buffer.concat(chunks).equals(expected(id))) throw wrong('another body')
  return 'answered'
}

function wrong(text) {
  return Object.assign(new Error(text), { isWrong: true })
}

module.exports = { ask }
