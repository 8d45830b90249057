'use strict'

// The table of behaviours, and what else a socket promises, with sockets that live now there and now
// with the I/O thread, at random.

process.env.HYCO_RS_HOMES = 'roam'

require('./socket-conformance.test.js')
require('./async-context.test.js')
require('./identity.test.js')
require('./keep-alive.test.js')
