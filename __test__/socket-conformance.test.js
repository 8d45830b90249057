'use strict'

const table = require('./support/table')

const SUBJECTS = [
  'state',
  'sending',
  'receiving',
  'violations',
  'control',
  'closing',
  'events',
  'stream',
  'client',
  'handshake',
  'blobs',
  'faces',
  'server',
  'limits',
]

for (const subject of SUBJECTS) table(subject, require(`./conformance/${subject}`))
