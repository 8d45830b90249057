'use strict'

// Processes and worker threads that end in the middle of traffic, with sockets that live on the event
// loop or move to and fro.

const assert = require('node:assert/strict')
const { after, afterEach, before, describe, it } = require('node:test')
const Program = require('./support/children')
const TestRelay = require('./support/relay')

const TIMES = 10
const TIMEOUT = { timeout: 300_000 }
const WELL = { code: 0, signal: null }

for (const homes of ['loop', 'roam']) {
  describe(
    `a process whose sockets ${homes === 'loop' ? 'live on the loop' : 'move'}`,
    TIMEOUT,
    () => {
      let relay
      const programs = []

      const start = (name, env) => {
        const program = new Program(`lifecycle/${name}`, { env: { HYCO_RS_HOMES: homes, ...env } })
        programs.push(program)
        return program
      }

      before(async () => {
        relay = await TestRelay.start({ hybridConnections: ['hyco'] })
      })

      afterEach(async () => {
        await Promise.all(programs.splice(0).map((program) => program.end()))
      })

      after(() => relay.close())

      for (const how of ['now', 'soon']) {
        it(`survives process.exit(), ${how}, ${TIMES} times`, TIMEOUT, async () => {
          const env = { LISTEN: relay.listenUri('hyco'), SEND: relay.sendUri('hyco'), HOW: how }
          for (let left = TIMES; left > 0; left--) {
            const program = start('exit', { ...env, TOKEN: relay.token() })
            assert.deepEqual(await program.exited, WELL, program.output)
            assert.equal(program.output, '')
          }
        })
      }

      for (const how of ['terminate', 'exit']) {
        for (const secure of [false, true]) {
          const where = `over ${secure ? 'TLS' : 'TCP'}`
          it(
            `survives the end of a worker by ${how} ${where}, ${TIMES} times`,
            TIMEOUT,
            async () => {
              const env = { COUNT: String(TIMES), HOW: how, TLS: secure ? '1' : '0' }
              const program = start('terminate', env)
              assert.deepEqual(await program.exited, WELL, program.output)
              assert.equal(program.output, `ended ${TIMES} workers\n`)
            },
          )
        }
      }

      it('may use the package in several environments at once', TIMEOUT, async () => {
        const program = start('environments')
        assert.deepEqual(await program.exited, WELL, program.output)
      })
    },
  )
}
