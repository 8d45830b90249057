'use strict'

const table = require('./support/table')

const SUBJECTS = [
  'state',
  'sending',
  'callbacks',
  'frames',
  'receiving',
  'emitting',
  'text',
  'violations',
  'control',
  'closing',
  'losing',
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
