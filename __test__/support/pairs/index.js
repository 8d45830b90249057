'use strict'

// Two sockets that meet, of every kind.

const clients = require('./clients')
const servers = require('./servers')

module.exports = { ...clients, ...servers }
