'use strict'

// The table of behaviours, and what else a socket promises, with sockets that live on the event loop.

process.env.HYCO_RS_HOMES = 'loop'

require('./socket-conformance.test.js')
require('./async-context.test.js')
require('./identity.test.js')
require('./keep-alive.test.js')
require('./reset.test.js')
