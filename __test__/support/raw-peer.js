'use strict'

const { createHash, randomBytes } = require('node:crypto')
const { once } = require('node:events')

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 }

/**
 * Builds one WebSocket frame, right or wrong.
 *
 * @param {String|Buffer} payload
 * @param {Object} [options]
 * @param {Number} [options.opcode=1]
 * @param {Boolean} [options.fin=true]
 * @param {Number} [options.rsv=0] The three reserved bits as 0x40, 0x20, 0x10
 * @param {Boolean} [options.masked=false]
 * @param {Number} [options.lengthBytes] Force a length field of 0, 2 or 8 further bytes
 * @param {Number|BigInt} [options.announced] A length that is announced instead of the real one
 * @return {Buffer}
 */
function frame(payload, options = {}) {
  const { opcode = OPCODE.text, fin = true, rsv = 0, masked = false } = options
  const body = Buffer.from(payload)
  const length = options.announced ?? body.length
  const lengthBytes = options.lengthBytes ?? (length < 126 ? 0 : length < 65536 ? 2 : 8)
  const head = Buffer.alloc(2 + lengthBytes)
  head[0] = (fin ? 0x80 : 0) | rsv | opcode
  if (lengthBytes === 0) {
    head[1] = Number(length)
  } else if (lengthBytes === 2) {
    head[1] = 126
    head.writeUInt16BE(Number(length), 2)
  } else {
    head[1] = 127
    head.writeBigUInt64BE(BigInt(length), 2)
  }
  if (!masked) return Buffer.concat([head, body])
  head[1] |= 0x80
  const mask = randomBytes(4)
  for (let i = 0; i < body.length; i++) body[i] ^= mask[i & 3]
  return Buffer.concat([head, mask, body])
}

/**
 * The payload of a close frame.
 *
 * @param {Number} code
 * @param {String|Buffer} [reason='']
 * @return {Buffer}
 */
function closePayload(code, reason = '') {
  const head = Buffer.alloc(2)
  head.writeUInt16BE(code)
  return Buffer.concat([head, Buffer.from(reason)])
}

/**
 * The value of `Sec-WebSocket-Accept` for a key.
 *
 * @param {String} key
 * @return {String}
 */
function acceptValue(key) {
  return createHash('sha1')
    .update(key + GUID)
    .digest('base64')
}

/**
 * Builds frames for one role.
 */
class Framer {
  /**
   * @param {Boolean} masks Whether frames of this role must be masked
   */
  constructor(masks) {
    this.masks = masks
  }

  /**
   * Builds a frame, masked as the role demands unless `options` says otherwise.
   *
   * @param {String|Buffer} payload
   * @param {Object} [options] As for `frame`
   * @return {Buffer}
   */
  frame(payload, options) {
    return frame(payload, { masked: this.masks, ...options })
  }

  /**
   * Builds a close frame.
   *
   * @param {Number} [code]
   * @param {String|Buffer} [reason]
   * @return {Buffer}
   */
  closeFrame(code, reason) {
    const payload = code === undefined ? '' : closePayload(code, reason)
    return this.frame(payload, { opcode: OPCODE.close })
  }
}

/**
 * The other end of a WebSocket, as plain bytes: it writes whatever a row wants and reads frames.
 */
class RawPeer extends Framer {
  #buffered = Buffer.alloc(0)
  #frames = []
  #waiting = []

  /**
   * @param {net.Socket|tls.TLSSocket} stream The connection, after the handshake
   * @param {Object} options
   * @param {Boolean} options.masks Whether frames sent by this peer must be masked
   * @param {net.Socket} [options.tcp=stream] The TCP socket below a TLS socket
   * @param {Buffer} [options.head] Bytes that came together with the handshake
   */
  constructor(stream, { masks, tcp = stream, head }) {
    super(masks)
    this.stream = stream
    this.tcp = tcp
    this.bytesRead = 0
    this.ended = false
    this.closed = once(stream, 'close').catch(() => {})
    stream.on('error', () => {})
    stream.on('end', () => {
      this.ended = true
      this.#settle()
    })
    stream.on('close', () => {
      this.ended = true
      this.#settle()
    })
    stream.on('data', (chunk) => this.#read(chunk))
    stream.resume()
    if (head && head.length > 0) this.#read(head)
  }

  /**
   * Sends one frame, masked as the role of this peer demands unless `options` says otherwise.
   *
   * @param {String|Buffer} payload
   * @param {Object} [options] As for `frame`
   */
  send(payload, options) {
    this.stream.write(this.frame(payload, options))
  }

  /**
   * Writes bytes as they are.
   *
   * @param {...Buffer} bytes
   */
  write(...bytes) {
    this.stream.write(Buffer.concat(bytes))
  }

  /**
   * The next frame the socket under test sends, or null when it ends first.
   *
   * @return {Promise<Object|null>} With `fin`, `rsv`, `opcode`, `masked`, `payload`
   */
  next() {
    if (this.#frames.length > 0) return Promise.resolve(this.#frames.shift())
    if (this.ended) return Promise.resolve(null)
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /**
   * The next frame of a kind; frames of other kinds are dropped.
   *
   * @param {Number} opcode
   * @return {Promise<Object|null>}
   */
  async nextOf(opcode) {
    for (;;) {
      const found = await this.next()
      if (found === null || found.opcode === opcode) return found
    }
  }

  /**
   * Answers a close frame as a well-behaved peer does, then ends the connection.
   *
   * @return {Promise<Object|null>} The close frame of the socket under test, with its `code`
   */
  async answerClose() {
    const received = await this.nextOf(OPCODE.close)
    if (received !== null) {
      this.stream.end(this.frame(received.payload, { opcode: OPCODE.close }))
      received.code = received.payload.length > 1 ? received.payload.readUInt16BE(0) : 1005
      received.reason = received.payload.subarray(2).toString()
    }
    return received
  }

  /** Stops reading, so that the kernel's buffers fill. */
  pause() {
    this.stream.pause()
  }

  /** Reads again. */
  resume() {
    this.stream.resume()
  }

  /** Ends the writing side: a FIN without a close frame. */
  end() {
    this.stream.end()
  }

  /** Destroys the connection. */
  destroy() {
    this.stream.destroy()
    if (this.tcp !== this.stream) this.tcp.destroy()
  }

  /** Breaks the connection with a RST. */
  reset() {
    if (this.tcp.destroyed) return
    this.tcp.resetAndDestroy()
  }

  #read(chunk) {
    this.bytesRead += chunk.length
    this.#buffered = this.#buffered.length === 0 ? chunk : Buffer.concat([this.#buffered, chunk])
    for (;;) {
      const found = this.#parse()
      if (found === null) break
      this.#frames.push(found)
    }
    this.#settle()
  }

  #settle() {
    while (this.#waiting.length > 0 && (this.#frames.length > 0 || this.ended)) {
      this.#waiting.shift()(this.#frames.shift() ?? null)
    }
  }

  #parse() {
    const bytes = this.#buffered
    if (bytes.length < 2) return null
    const masked = (bytes[1] & 0x80) !== 0
    let length = bytes[1] & 0x7f
    let offset = 2
    if (length === 126) {
      if (bytes.length < 4) return null
      length = bytes.readUInt16BE(2)
      offset = 4
    } else if (length === 127) {
      if (bytes.length < 10) return null
      length = Number(bytes.readBigUInt64BE(2))
      offset = 10
    }
    const mask = masked ? bytes.subarray(offset, offset + 4) : null
    if (masked) offset += 4
    if (bytes.length < offset + length) return null
    const payload = Buffer.from(bytes.subarray(offset, offset + length))
    if (masked) for (let i = 0; i < length; i++) payload[i] ^= mask[i & 3]
    this.#buffered = bytes.subarray(offset + length)
    return {
      fin: (bytes[0] & 0x80) !== 0,
      rsv: bytes[0] & 0x70,
      opcode: bytes[0] & 0x0f,
      masked,
      payload,
    }
  }
}

module.exports = { Framer, OPCODE, RawPeer, acceptValue, closePayload, frame }
