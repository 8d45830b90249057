'use strict'

const ArraySet = require('./array-set')

// Not a private field: a proxy of the clients has to work as they do.
const kPositions = Symbol('positions')

/**
 * The sockets of a server, for both of its ancestors: an `Array` to code written for hyco-ws
 * (`length`, index, `indexOf`) and a `Set` to code written for ws 8 (`size`, `has`, `forEach`).
 *
 * Removing takes constant time: the last socket moves into the gap, so the order of the sockets
 * is not the order of their arrival. Iterating sees every socket exactly once, whatever is removed
 * meanwhile.
 *
 * @extends ArraySet
 */
class Clients extends ArraySet {
  constructor() {
    super()
    // Where each socket stands.
    Object.defineProperty(this, kPositions, { value: new Map() })
  }

  /**
   * Adds a socket; one that is in already stays where it is.
   *
   * @param {WebSocket} socket
   * @return {Clients} this
   */
  add(socket) {
    if (!this[kPositions].has(socket)) {
      this[kPositions].set(socket, this.length)
      super.push(socket)
    }
    return this
  }

  /**
   * Removes a socket.
   *
   * @param {WebSocket} socket
   * @return {Boolean} whether it was in
   */
  delete(socket) {
    const positions = this[kPositions]
    const position = positions.get(socket)
    if (position === undefined) return false
    positions.delete(socket)
    const last = super.pop()
    if (last !== socket) {
      this[position] = last
      positions.set(last, position)
    }
    return true
  }

  /** Removes all sockets, and closes none. */
  clear() {
    this[kPositions].clear()
    super.clear()
  }

  /**
   * @param {WebSocket} socket
   * @return {Boolean} whether it is in
   */
  has(socket) {
    return this[kPositions].has(socket)
  }

  /**
   * @param {WebSocket} socket
   * @return {Boolean} whether it is in
   */
  includes(socket) {
    return this[kPositions].has(socket)
  }

  /**
   * @param {WebSocket} socket
   * @return {Number} where it stands, -1 when it is not in
   */
  indexOf(socket) {
    return this[kPositions].get(socket) ?? -1
  }

  /**
   * Calls `callback(socket, socket, clients)` for every socket, as a `Set` does.
   *
   * @param {Function} callback
   * @param {*} [thisArg] Its `this`
   */
  forEach(callback, thisArg) {
    for (const socket of this) callback.call(thisArg, socket, socket, this)
  }

  /** The sockets that were in when the iteration began and still are when their turn comes. */
  *[Symbol.iterator]() {
    for (const socket of super.slice()) {
      if (this[kPositions].has(socket)) yield socket
    }
  }

  /** The same sockets, as `Set` names them. */
  values() {
    return this[Symbol.iterator]()
  }
}

module.exports = Clients
