'use strict'

// The senders of the soak test: each keeps a few messages under way, checks every one that comes
// back, and rests now and then.

const { relayedConnect } = require(require('../peers/hyco-rs').root)

const { check, make } = require('./message')

const { ca, minutes, sockets, relays } = JSON.parse(process.argv[2])

const MESSAGES_UNDER_WAY = 16
const BYTES_UNDER_WAY = 8 * 2 ** 20
/** How long the last messages may take to come back. */
const PATIENCE = 60_000

const end = Date.now() + minutes * 60_000
const over = () => Date.now() >= end
const counts = { messages: 0, bytes: 0 }
const failures = []

/**
 * One socket from its opening to its close.
 *
 * @param {number} index
 * @return {Promise<number>} the close code
 */
function run(index) {
  const socket = relayedConnect(relays[index % relays.length].connectUrl, null, { tls: { ca } })
  const sent = []
  let next = 0
  let answered = 0
  let bytes = 0
  let resting = false

  const fail = (text) => failures.push(`socket ${index}, message ${answered}: ${text}`)
  const work = () => {
    if (resting) return
    while (!over() && sent.length < MESSAGES_UNDER_WAY && bytes < BYTES_UNDER_WAY) {
      const { data, binary } = make(next++)
      sent.push({ size: data.length, binary })
      bytes += data.length
      socket.send(data, { binary })
      if (Math.random() < 0.02) return rest(Math.random() * 500)
    }
    if (over() && sent.length === 0 && socket.readyState === socket.OPEN) socket.close(1000)
  }
  const rest = (milliseconds) => {
    resting = true
    setTimeout(() => {
      resting = false
      work()
    }, milliseconds)
  }

  return new Promise((resolve) => {
    socket.on('open', work)
    socket.on('message', (data, binary) => {
      const expected = sent.shift()
      const wrong = expected ? check(data, binary, answered, expected) : 'nobody sent it'
      if (wrong) fail(wrong)
      answered++
      bytes -= expected?.size ?? 0
      counts.messages++
      counts.bytes += data.length
      if (Math.random() < 0.002) {
        socket.pause()
        setTimeout(() => socket.resume(), Math.random() * 300)
      }
      work()
    })
    socket.on('error', (error) => fail(error.message))
    socket.on('close', (code) => {
      if (sent.length > 0) fail(`${sent.length} messages lost, closed with ${code}`)
      resolve(code)
    })
    setTimeout(work, end - Date.now() + 10)
    setTimeout(
      () => {
        if (socket.readyState === socket.CLOSED) return
        fail(`${sent.length} messages still under way`)
        socket.terminate()
      },
      end - Date.now() + PATIENCE,
    ).unref()
  })
}

const progress = setInterval(() => process.send({ type: 'progress', ...counts }), 1000)
Promise.all(Array.from({ length: sockets }, (_, index) => run(index))).then((codes) => {
  clearInterval(progress)
  const closed = codes.filter((code) => code === 1000).length
  process.send({ type: 'done', ...counts, failures, closed })
})
process.on('message', ({ type }) => {
  if (type === 'stop') process.disconnect()
})
