'use strict'

/** @return {Promise<String[]>} The messages of the warnings that a function provokes. */
async function warnings(run) {
  const messages = []
  const hear = ({ message }) => messages.push(message)
  process.on('warning', hear)
  run()
  await new Promise(setImmediate)
  process.removeListener('warning', hear)
  return messages
}

module.exports = warnings
