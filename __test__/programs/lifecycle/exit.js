'use strict'

// Ends by process.exit() in the middle of traffic.

const flood = require('./flood')

const { CA, HOW, LISTEN, SEND, TOKEN } = process.env
flood({ listen: LISTEN, send: SEND, token: TOKEN, tls: CA ? { ca: CA } : undefined }, () => {
  if (HOW === 'now') process.exit(0)
  setTimeout(() => process.exit(0), Math.random() * 20)
})
