'use strict'

const tls = require('node:tls')

const { capture, run } = require('../context')
const { nextTick } = require('../globals')
const { copyOf } = require('../hub/bytes')
const { kExchange, kMessage } = require('../hub/records')
const Exchange = require('./exchange')

/** Messages, as in crates/hub/src/exchanges/pipe.rs: a number, a kind, and for the first one of a
 * request a port, its tracking id and the sender's address, each behind its length. */
const OPEN = 1
const SECURE = 0x80
/** The head of a request is all that the message holds: nothing of it reaches a handler as bytes. */
const HEAD_ALONE = 0x40
const KIND_AT = 4
const BYTES_AT = 5
const PORT_AT = 5
const ID_AT = 7

/** Signals without bytes. */
const TAKEN = 1
const ENDED = 2
const CLOSED = 3
const KIND_SHIFT = 28
const VALUE = (1 << KIND_SHIFT) - 1

/**
 * Gives each relayed request of one listener to an HTTP server, as a connection of its own.
 */
class Gateway {
  #hub
  #serverFor
  #changed
  #tell
  #context = capture()
  #open = new Map()
  #total = 0
  /** The tick keeps the context. */
  #begins = (exchange, bytes) => this.#guard(exchange, () => exchange.begin(bytes))

  /**
   * @param {Hub} hub
   * @param {Function} serverFor Gives the `http.Server` for a new request, or `null`
   * @param {Function} changed Called when a request has ended
   * @param {Function} tell Tells those who have subscribed to such events
   */
  constructor(hub, serverFor, changed, tell) {
    this.#hub = hub
    this.#serverFor = serverFor
    this.#changed = changed
    this.#tell = tell
  }

  /** How many requests are open. @type {Number} */
  get size() {
    return this.#open.size
  }

  /** How many there were. @type {Number} */
  get total() {
    return this.#total
  }

  /** Gives up what is open. */
  destroy() {
    for (const exchange of this.#open.values()) exchange.abandon()
    this.#hub.outgoing.flush()
  }

  /** A message of the listener's link: a request, or more of its body. */
  [kMessage](data) {
    const number = data.readUInt32LE(0)
    if ((data[KIND_AT] & ~(SECURE | HEAD_ALONE)) === OPEN) {
      this.#begin(number, data)
      return
    }
    const exchange = this.#open.get(number)
    const bytes = owned(data, BYTES_AT)
    if (exchange !== undefined) this.#run(exchange, () => exchange.received(bytes))
  }

  /** A signal of the listener's link. */
  [kExchange](number, word) {
    const exchange = this.#open.get(number)
    if (exchange === undefined) return
    const value = word & VALUE
    switch (word >>> KIND_SHIFT) {
      case TAKEN:
        this.#run(exchange, () => exchange.taken(value))
        break
      case ENDED:
        this.#run(exchange, () => exchange.ended())
        break
      case CLOSED:
        this.#open.delete(number)
        this.#hub.release()
        this.#run(exchange, () => exchange.closed(value))
        this.#tell('request:end', exchange)
        this.#changed()
        break
    }
  }

  #begin(number, data) {
    const idEnd = ID_AT + 1 + data[ID_AT]
    const bytesAt = idEnd + 1 + data[idEnd]
    const address = data.latin1Slice(idEnd + 1, bytesAt)
    const exchange = new Exchange(this.#hub.outgoing, number, {
      trackingId: data.latin1Slice(ID_AT + 1, idEnd),
      remoteAddress: address === '' ? undefined : address,
      remotePort: data[PORT_AT] | (data[PORT_AT + 1] << 8) || undefined,
      encrypted: (data[KIND_AT] & SECURE) !== 0,
    })
    this.#open.set(number, exchange)
    // As the connection of an http.Server does, although its server may have stopped listening.
    this.#hub.hold()
    this.#total++
    this.#tell('request:start', exchange)
    const server = this.#serverFor()
    if (server === null) {
      exchange.notServed()
      return
    }
    const event = server instanceof tls.Server ? 'secureConnection' : 'connection'
    // Only the server's parser sees the bytes of a head, unless the program listens for connections too.
    const isParsed = (data[KIND_AT] & HEAD_ALONE) !== 0 && server.listenerCount(event) === 1
    const bytes = isParsed ? data.subarray(bytesAt) : owned(data, bytesAt)
    this.#run(exchange, () => {
      server.emit(event, exchange)
      // A server reads one tick later. What is pushed before would be parsed out of our sight.
      nextTick(this.#begins, exchange, bytes)
    })
  }

  /** Runs what may call a handler in the context of the listener. */
  #run(exchange, fn) {
    this.#guard(exchange, () => run(this.#context, fn))
  }

  /** Calls what may call a handler; if that throws before it has answered, the sender is told. */
  #guard(exchange, fn) {
    try {
      fn()
    } catch (error) {
      exchange.threw()
      this.#hub.raise(error)
    }
  }
}

/**
 * The end of a message in memory that nothing else is in, since the handler may keep what it reads. A
 * large message has such memory already.
 */
function owned(data, start) {
  const bytes = data.subarray(start)
  return data.length === data.buffer.byteLength ? bytes : copyOf(bytes)
}

module.exports = Gateway
