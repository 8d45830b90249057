'use strict'

/**
 * What is open and keeps the process. Jest and its like ask, when they look for what a test has left
 * open.
 *
 * The native side refers to it as long as it works, so nothing leads from here to the hub, not even the
 * module: a hub that nobody uses any more could not be collected.
 */
class Holds {
  count = 0

  hasRef() {
    return this.count > 0
  }
}

module.exports = Holds
