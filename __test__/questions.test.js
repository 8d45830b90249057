'use strict'

const assert = require('node:assert/strict')
const { describe, it } = require('node:test')

const Questions = require('../lib/server/questions')
const { until } = require('./support/watch')

const missing = { code: 'HYCO_ERR_TOKEN', message: 'no token' }
const refused = { code: 'HYCO_ERR_CONNECT', message: 'cannot connect' }

/** Questions to a program that answers so, and what the listener is told. */
function ask(given) {
  const told = []
  const note =
    (verb) =>
    (...args) =>
      told.push([verb, ...args])
  const questions = new Questions({ blame: (error) => error, ...given })
  questions.comeFrom({
    provideToken: note('token'),
    decideReconnect: note('reconnect'),
  })
  return { questions, told }
}

describe('what a listener asks of the program', { timeout: 60_000 }, () => {
  it('is answered with a token, or with why there is none', async () => {
    const vault = new Error('vault is closed')
    const answers = [Promise.reject(vault), Promise.resolve({ token: 't' })]
    const { questions, told } = ask({ tokens: { fetch: () => answers.shift() } })
    questions.token({ request: 1 })
    await until(() => told.length === 1, 'the failure')
    assert.equal(questions.errorOf(missing), vault)
    questions.token({ request: 2 })
    await until(() => told.length === 2, 'the token')
    assert.deepEqual(told, [
      ['token', 1, null, 'vault is closed'],
      ['token', 2, { token: 't' }],
    ])
    assert.equal(questions.errorOf(missing).message, 'no token', 'the failure is over')
  })

  it('has failed as the program says only where a token was missing', async () => {
    const { questions, told } = ask({
      tokens: { fetch: async () => Promise.reject(Error('vault')) },
    })
    assert.equal(questions.errorOf(missing).message, 'no token')
    questions.token({ request: 1 })
    await until(() => told.length === 1, 'the failure')
    assert.equal(questions.errorOf(refused).code, 'HYCO_ERR_CONNECT')
    assert.equal(questions.errorOf(missing).message, 'vault')
  })

  it('is answered with a delay, at once or later, and by the schedule where there is none', async () => {
    for (const [answer, delay] of [
      [250, 250],
      [undefined, 1000],
      [false, -1],
      [Promise.resolve(250), 250],
    ]) {
      const infos = []
      const decide = (info) => {
        infos.push(info)
        return answer
      }
      const { questions, told } = ask({ reconnect: { decide } })
      questions.reconnect({ request: 3, attempt: 2, delay: 1000, error: refused })
      await until(() => told.length === 1, 'the answer')
      assert.deepEqual(told, [['reconnect', 3, delay]])
      const [{ attempt, delay: scheduled, error }] = infos
      assert.deepEqual([attempt, scheduled, error.code], [2, 1000, 'HYCO_ERR_CONNECT'])
    }
  })

  it('is decided by the schedule when the program throws, which surfaces', () => {
    const broken = new Error('undecided')
    const decide = () => {
      throw broken
    }
    const { questions, told } = ask({ reconnect: { decide } })
    const asked = { request: 3, attempt: 1, delay: 1000, error: refused }
    assert.throws(() => questions.reconnect(asked), broken)
    assert.deepEqual(told, [['reconnect', 3, 1000]])
  })

  it('is not answered to a listener that has ended', async () => {
    let give
    const fetch = () =>
      new Promise((resolve) => {
        give = resolve
      })
    const { questions, told } = ask({ tokens: { fetch }, reconnect: { decide: () => 5 } })
    questions.token({ request: 1 })
    questions.comeFrom(null)
    give({ token: 't' })
    questions.reconnect({ request: 3, attempt: 1, delay: 1000, error: refused })
    await new Promise(setImmediate)
    assert.deepEqual(told, [])
  })
})
