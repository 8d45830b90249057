'use strict'

const table = require('./support/table')

for (const subject of ['state', 'sending', 'receiving', 'violations']) {
  table(subject, require(`./conformance/${subject}`))
}
