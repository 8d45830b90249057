'use strict'

/**
 * The subprotocol of TCP connections through the relay. A binary message holds bytes, and an empty
 * one says that its side sends no more, as FIN does. 1000 closes, anything else resets.
 */
const TCP_PROTOCOL = 'hyco-rs.tcp'

/** Bytes that wait for the relay before the TCP connection is not read any more. */
const HIGH_WATER = 1024 * 1024

const EMPTY = Buffer.alloc(0)

/**
 * Joins a relayed socket and a TCP connection, until both directions have ended.
 *
 * @param {RelayedSocket} socket It is open
 * @param {net.Socket} tcp It is connected, and was made with `allowHalfOpen`
 */
function joinTcp(socket, tcp) {
  // Whoever does not speak the subprotocol is not told of half an end: closing ends both.
  const halfClose = socket.protocol === TCP_PROTOCOL
  let [received, sent] = [false, false]
  const endIfDone = () => {
    if (received && sent) socket.close(1000)
  }
  socket.on('message', (data) => {
    if (halfClose && data.length === 0) {
      received = true
      tcp.end()
      endIfDone()
    } else if (tcp.writable && !tcp.write(data)) {
      socket.pause()
      tcp.once('drain', () => socket.resume())
    }
  })
  tcp.on('data', (chunk) => {
    if (socket.readyState !== socket.OPEN) return
    socket.send(chunk, { binary: true }, () => tcp.resume())
    if (socket.bufferedAmount > HIGH_WATER) tcp.pause()
  })
  tcp.on('end', () => {
    sent = true
    if (!halfClose) socket.close(1000)
    else if (socket.readyState === socket.OPEN) socket.send(EMPTY, { binary: true })
    endIfDone()
  })
  tcp.on('error', (error) => socket.close(1011, error.code ?? 'the TCP connection failed'))
  // Where both directions had ended it is closing with 1000 already.
  tcp.on('close', () => socket.close(1011, 'the TCP connection is gone'))
  socket.on('close', (code) => {
    // Nobody reads on: what is still to be written goes out, or the peer sees a reset.
    tcp.resume()
    if (code === 1000) tcp.end()
    else tcp.resetAndDestroy()
  })
  socket.on('error', () => {})
  if (tcp.destroyed) socket.close(1011, 'the TCP connection is gone')
  tcp.resume()
}

module.exports = { TCP_PROTOCOL, joinTcp }
