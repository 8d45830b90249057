'use strict'

// The local relay of hyco-rs in a process of its own: prints one line of JSON when it is ready, ends
// with its standard input. `relay-process.js OPTIONS`: the options of `startRelayEmulator` as JSON.

const { root } = require('../peers/hyco-rs')

const { startRelayEmulator } = require(root)

startRelayEmulator(JSON.parse(process.argv[2])).then((relay) => {
  const { namespace, keyName, key } = relay
  process.stdout.write(JSON.stringify({ namespace, keyName, key }) + '\n')
  process.stdin.resume()
  process.stdin.once('end', () => process.exit(0))
})
