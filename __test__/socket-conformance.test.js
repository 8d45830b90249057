'use strict'

const table = require('./support/table')

for (const subject of ['state', 'sending', 'receiving', 'violations', 'control', 'closing', 'events', 'stream']) {
  table(subject, require(`./conformance/${subject}`))
}
