'use strict'

const { channel } = require('node:diagnostics_channel')
const { debuglog } = require('node:util')

const { redact } = require('./native')

/** What can be subscribed to, as `hyco-rs:` and the name (docs/api.md, "Diagnostics"). */
const NAMES = [
  'listener:connecting',
  'listener:online',
  'listener:offline',
  'listener:renewed',
  'listener:closed',
  'accept:asked',
  'accept:accepted',
  'accept:rejected',
  'accept:failed',
  'socket:open',
  'socket:close',
  'request:start',
  'request:end',
  'request:error',
  'log',
]

const channels = new Map(NAMES.map((name) => [name, channel(`hyco-rs:${name}`)]))

/** Prints lines where the variable NODE_DEBUG holds `hyco-rs`. */
const debug = debuglog('hyco-rs')

/** Node reads the variable when it starts. To ask for it costs a call, for each request. */
const prints = debug.enabled

/** The members of a message that make a line; the others are objects of the program. */
const PRINTED = [
  'attempt',
  'delay',
  'final',
  'statusCode',
  'code',
  'reason',
  'duration',
  'trackingId',
]

/**
 * Whether anybody wants to know. A message is made only then.
 *
 * @param {String} name One of `NAMES`
 * @return {Boolean}
 */
function wanted(name) {
  return prints || channels.get(name).hasSubscribers
}

/**
 * Tells of something that somebody wants to know.
 *
 * @param {String} name One of `NAMES`
 * @param {Object} message
 */
function publish(name, message) {
  channels.get(name).publish(message)
  if (prints) debug('%s', line(name, message))
}

/**
 * @param {String} name
 * @param {Object} message
 * @return {String} What is printed: the name, whom it is about, and what is known
 */
function line(name, message) {
  const { error, fields, server, socket } = message
  const parts = name === 'log' ? [said(message)] : [name]
  if (server && !name.startsWith('socket:')) parts.push(`path=${server.path}`)
  else if (socket) parts.push(`url=${socket.url}`)
  for (const field in fields) parts.push(`${field}=${fields[field]}`)
  for (const member of PRINTED) {
    const value = message[member]
    if (value !== undefined && value !== '') parts.push(`${member}=${value}`)
  }
  if (error) parts.push(`error=${error.code ?? error.name}: ${error.message}`)
  return redact(parts.join(' '))
}

/** @return {String} What the native side says, and which part of it */
function said({ level, message, target }) {
  return `log ${level} ${target.replace(/^hyco_/, '')}: ${message}`
}

module.exports = { NAMES, publish, wanted }
