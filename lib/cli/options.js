'use strict'

const { usageError } = require('./failure')

/**
 * Reads a time in seconds.
 *
 * @param {String} text
 * @param {String} name The option
 * @return {Number} Milliseconds
 */
function seconds(text, name) {
  const value = Number(text)
  if (!(value > 0) || value > 86_400 * 20) {
    throw usageError(`${name} must be a number of seconds above 0, not '${text}'.`)
  }
  return value * 1000
}

/**
 * Reads a count.
 *
 * @param {String} text
 * @param {String} name The option
 * @return {Number}
 */
function count(text, name) {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 0) {
    throw usageError(`${name} must be a whole number, not '${text}'.`)
  }
  return value
}

/** Every command has it. */
const HELP = {
  help: { type: 'boolean', short: 'h', description: 'Show this help.' },
}

/** How results and messages are shown. */
const OUTPUT = {
  json: {
    type: 'boolean',
    description: 'Write JSON, one object a line, for programs to read.',
  },
  quiet: {
    type: 'boolean',
    short: 'q',
    description: 'Write results and errors alone.',
  },
}

/** Which hybrid connection, and by what right. */
const TARGET = {
  'connection-string': {
    type: 'string',
    short: 'c',
    value: 'TEXT',
    description:
      'The connection string: Endpoint=sb://…;SharedAccessKeyName=…;SharedAccessKey=…. Other users of this machine can see arguments; HYCO_CONNECTION_STRING keeps it from them.',
  },
  path: {
    type: 'string',
    short: 'p',
    value: 'NAME',
    description: 'The hybrid connection, if the connection string has no EntityPath.',
  },
  namespace: {
    type: 'string',
    short: 'n',
    value: 'HOST',
    description: 'The namespace, as contoso.servicebus.windows.net or ws://127.0.0.1:9400.',
  },
  'key-name': {
    type: 'string',
    value: 'NAME',
    description: 'The authorization rule that signs tokens.',
  },
  key: { type: 'string', value: 'KEY', description: 'The key of that rule.' },
  token: {
    type: 'string',
    value: 'TOKEN',
    description: 'A ready token, instead of a rule and its key.',
  },
  env: {
    type: 'string',
    value: 'FILE',
    complete: 'file',
    description: 'The file with variables.',
    default: '.env, if there is one',
  },
}

/** How the relay is reached. */
const NETWORK = {
  ca: {
    type: 'string',
    value: 'FILE',
    complete: 'file',
    description: 'Trust the certificates in this PEM file instead of those that Node.js trusts.',
  },
  insecure: {
    type: 'boolean',
    short: 'k',
    description: 'Do not check the certificate of the relay. Use it for tests only.',
  },
  proxy: {
    type: 'string',
    value: 'URL',
    description: 'The proxy on the way to the relay.',
    default: 'HTTPS_PROXY, ALL_PROXY and NO_PROXY',
  },
  timeout: {
    type: 'string',
    value: 'SECONDS',
    read: seconds,
    description: 'How long opening a connection may take.',
    default: '60',
  },
}

/** What a sender adds to the address. */
const SENDER = {
  suffix: {
    type: 'string',
    short: 's',
    value: 'TEXT',
    description: 'What follows the hybrid connection in the address, as /chat?room=1.',
  },
  header: {
    type: 'string',
    short: 'H',
    value: 'LINE',
    multiple: true,
    description: "A header that the listener sees, as 'X-Name: value'.",
  },
}

/** A WebSocket sender's further options. */
const WEBSOCKET = {
  protocol: {
    type: 'string',
    value: 'NAME',
    multiple: true,
    description: 'A subprotocol to offer.',
  },
  binary: { type: 'boolean', short: 'b', description: 'Send binary messages instead of text.' },
}

module.exports = { HELP, NETWORK, OUTPUT, SENDER, TARGET, WEBSOCKET, count, seconds }
