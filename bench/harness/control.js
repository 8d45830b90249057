'use strict'

// Gives commands to the Rust program (see peer/src/control.rs for the list).

const net = require('node:net')
const readline = require('node:readline')

class Control {
  #socket
  #waiting = []

  /**
   * @param {number} port where the program takes commands
   */
  constructor(port) {
    this.#socket = net.connect(port, '127.0.0.1')
    this.#socket.setNoDelay(true)
    this.#socket.on('error', (error) => this.#fail(error))
    this.#socket.on('close', () => this.#fail(new Error('the peer program went away')))
    readline.createInterface({ input: this.#socket }).on('line', (line) => {
      const answer = JSON.parse(line)
      const { resolve, reject } = this.#waiting.shift()
      if (answer.error === undefined) resolve(answer)
      else reject(new Error(answer.error))
    })
  }

  /**
   * Gives a command; commands on one `Control` are carried out one after the other.
   *
   * @param {string} name what to do
   * @param {object} [members] the command's other members
   * @return {Promise<object>} the answer
   */
  order(name, members) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      this.#socket.write(JSON.stringify({ do: name, ...members }) + '\n')
    })
  }

  /**
   * Ends the connection.
   */
  close() {
    this.#socket.destroy()
  }

  #fail(error) {
    for (const { reject } of this.#waiting.splice(0)) reject(error)
  }
}

module.exports = Control
