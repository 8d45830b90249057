'use strict'

const assert = require('node:assert/strict')
const http = require('node:http')
const { describe, it } = require('node:test')

const HttpSetting = require('./support/http-server')
const { until } = HttpSetting

const TIMEOUT = { timeout: 300_000 }

/** Starts an upload that never becomes whole. */
function upload(setting) {
  const headers = { 'content-length': 1_000_000 }
  const request = http.request(setting.url, { agent: false, method: 'POST', headers })
  request.on('error', () => {})
  request.write(Buffer.alloc(100_000))
  return request
}

/** A server by `fetch`, or by a `'request'` listener that gets what `fetch` would read. */
async function start(kind, handle, options = {}) {
  if (kind === 'fetch') {
    return HttpSetting.start({
      fetch: (request) => handle(() => request.arrayBuffer()),
      ...options,
    })
  }
  const setting = await HttpSetting.start(options)
  setting.server.on('request', async (req, res) => {
    const read = async () => {
      for await (const chunk of req) void chunk
    }
    await handle(read)
    res.end()
  })
  return setting
}

/** Collects unhandled rejections, which would end the program. */
function watchRejections() {
  const theirs = process.rawListeners('unhandledRejection')
  process.removeAllListeners('unhandledRejection')
  const seen = []
  const see = (error) => seen.push(error)
  process.on('unhandledRejection', see)
  const stop = () => {
    process.removeListener('unhandledRejection', see)
    for (const listener of theirs) process.on('unhandledRejection', listener)
  }
  return { seen, stop }
}

for (const kind of ['fetch', "a 'request' listener"]) {
  describe(`${kind}, when a request ends before its answer`, TIMEOUT, () => {
    /** Has a handler fail that reads a body; gives what it failed with when it has. */
    const failing = async (options, end, fail = (error) => error) => {
      let failed
      let reading = false
      const rejections = watchRejections()
      const handle = async (read) => {
        reading = true
        try {
          await read()
        } catch (error) {
          failed = fail(error)
          throw failed
        }
        return new Response()
      }
      const setting = await start(kind, handle, options)
      const request = upload(setting)
      await until(() => reading)
      await end(setting, request)
      await until(() => failed !== undefined)
      // An unhandled rejection is told after the microtasks of its turn.
      await new Promise((resolve) => setImmediate(resolve))
      await until(() => setting.server.metrics().activeRequests === 0)
      rejections.stop()
      assert.deepEqual(rejections.seen, [])
      request.destroy()
      return { failed, setting }
    }

    it('swallows what only says that the sender has left', async () => {
      const { failed, setting } = await failing({}, (_, request) => request.destroy())
      assert.equal(failed.code, 'ECONNRESET')
      assert.deepEqual(setting.errors, [])
      await setting.close()
    })

    it("tells of other errors by 'requestError', with their cause", async () => {
      const told = []
      const mistake = new TypeError('a mistake')
      const leave = (setting, request) => {
        setting.server.on('requestError', (error) => told.push(error))
        request.destroy()
      }
      const { setting } = await failing({}, leave, () => mistake)
      await until(() => told.length > 0)
      assert.equal(told[0].code, 'HYCO_ERR_HANDLER')
      assert.equal(told[0].cause, mistake)
      assert.match(setting.errors[0].info.trackingId, /^[0-9a-f-]{36}/)
      assert.equal(setting.server.metrics().failedRequests, 1)
      await setting.close()
    })

    it('swallows the end of a request whose time is over', async () => {
      const { setting } = await failing({ responseTimeout: 200 }, () => {})
      await until(() => setting.errors.length > 0)
      assert.deepEqual(
        setting.errors.map(({ code }) => code),
        ['HYCO_ERR_TIMEOUT'],
      )
      await setting.close()
    })

    it('swallows the end of a request that the server gives up', async () => {
      const { setting } = await failing({}, (setting) => void setting.server.close())
      assert.deepEqual(setting.errors, [])
      await setting.close()
    })
  })
}
