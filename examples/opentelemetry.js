'use strict'

// Run: HYCO_CONNECTION_STRING='…' node examples/opentelemetry.js
// Makes spans of what happens. With OpenTelemetry the tracer is
// require('@opentelemetry/api').trace.getTracer('hyco-rs'); this one prints.

const { subscribe } = require('node:diagnostics_channel')
const hyco = require('hyco-rs')

const tracer = {
  startSpan: (name, { attributes }) => ({
    setAttribute: (key, value) => (attributes[key] = value),
    recordException: (error) => (attributes.exception = error.message),
    end: () => console.log('span', name, JSON.stringify(attributes)),
  }),
}

/** By the request while it is decided about, then by the socket. */
const spans = new Map()

subscribe('hyco-rs:accept:asked', ({ request, trackingId }) => {
  const attributes = { 'hyco.tracking_id': trackingId, 'url.path': request.url }
  spans.set(request, tracer.startSpan('accept', { attributes }))
})
for (const end of ['accepted', 'rejected', 'failed']) {
  subscribe(`hyco-rs:accept:${end}`, ({ request, socket, statusCode, error, trackingId }) => {
    const span = spans.get(request)
    spans.delete(request)
    span?.setAttribute('hyco.outcome', end)
    if (statusCode) span?.setAttribute('http.response.status_code', statusCode)
    if (error) span?.recordException(error)
    span?.end()
    const attributes = { 'hyco.tracking_id': trackingId }
    if (socket) spans.set(socket, tracer.startSpan('connection', { attributes }))
  })
}
subscribe('hyco-rs:socket:close', ({ socket, code }) => {
  spans.get(socket)?.setAttribute('websocket.close_code', code)
  spans.get(socket)?.end()
  spans.delete(socket)
})

const { HYCO_CONNECTION_STRING: connectionString } = process.env
const server = hyco.createRelayedServer({ connectionString }, (socket) => socket.send('welcome'))
server.on('listening', () => console.log('listening'))
server.on('error', (error) => console.error(error.message))
