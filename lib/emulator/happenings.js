'use strict'

/** How many events wait for a `for await` that does not come back for them. */
const MOST_WAITING = 10_000

/**
 * @param {RelayEmulator} relay
 * @param {Promise<void>} closed
 * @return {AsyncGenerator<Object>} What happens from this call on
 */
function happenings(relay, closed) {
  const waiting = []
  let wake = () => {}
  let open = true
  const tell = (event) => {
    // Who does not come back for them loses the oldest ones.
    if (waiting.push(event) > MOST_WAITING) waiting.shift()
    wake()
  }
  relay.on('event', tell)
  closed.then(() => {
    open = false
    wake()
  })
  return (async function* () {
    try {
      while (open || waiting.length > 0) {
        if (waiting.length > 0) yield waiting.shift()
        else {
          await new Promise((resolve) => {
            wake = resolve
          })
        }
      }
    } finally {
      relay.off('event', tell)
    }
  })()
}

module.exports = happenings
