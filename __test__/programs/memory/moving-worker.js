'use strict'

// A worker that receives messages, moves their memory to the main thread, and ends.

const { parentPort, workerData } = require('node:worker_threads')

const hyco = require('../../..')

const { address, count } = workerData

/** Moves the memory of a message, as a byte stream does; returns it as it is then. */
async function move(data) {
  let controller
  const stream = new ReadableStream({
    type: 'bytes',
    start(given) {
      controller = given
    },
  })
  controller.enqueue(data)
  const { value } = await stream.getReader().read()
  return value
}

const moved = []
const socket = hyco.relayedConnect(address, null, () => socket.send('go'))
socket.on('message', (data) => {
  moved.push(move(data))
  if (moved.length < count) return
  Promise.all(moved).then((values) => {
    parentPort.postMessage(values, [...new Set(values.map((value) => value.buffer))])
    socket.terminate()
  })
})
