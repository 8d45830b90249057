'use strict'

// The protocol of the relay by hand on npm `ws`, without any server behind it: what commands and
// bodies alone cost. It answers by the control channel, so it knows small bodies alone.

const { EventEmitter } = require('node:events')
const { WebSocket } = require('ws')

module.exports = {
  title: 'bare protocol on ws',
  packages: ['ws', 'bufferutil'],
  relayed: true,

  async serve(handler, relay) {
    const headers = { ServiceBusAuthorization: relay.token }
    const control = new WebSocket(relay.listenUrl, { perMessageDeflate: false, headers })
    let awaiting = null
    const begin = (request, body) => {
      const req = new EventEmitter()
      req.url = request.requestTarget
      req.headers = request.requestHeaders
      const responseHeaders = {}
      const res = {
        setHeader: (name, value) => (responseHeaders[name] = value),
        end: (data) => {
          const response = { requestId: request.id, statusCode: 200, responseHeaders, body: true }
          control.send(JSON.stringify({ response }))
          control.send(Buffer.from(data))
        },
      }
      handler(req, res)
      if (body) req.emit('data', body)
      req.emit('end')
    }
    control.on('message', (data, isBinary) => {
      if (isBinary) {
        begin(awaiting, data)
        return
      }
      const { request } = JSON.parse(data)
      if (request.body) awaiting = request
      else begin(request, null)
    })
    await new Promise((resolve, reject) => {
      control.once('open', resolve)
      control.once('error', reject)
    })
    return relay.http
  },
}
