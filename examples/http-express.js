'use strict'

// Run: HYCO_CONNECTION_STRING='…' node examples/http-express.js
// An Express application that is reached through the relay, and by nothing else.

const http = require('node:http')
const express = require('express')
const hyco = require('hyco-rs')

const app = express()
app.use(express.json())
app.get('/hyco/hello', (request, response) => {
  response.cookie('a', '1').cookie('b', '2').json({ hello: request.query.name, from: request.ip })
})
app.post('/hyco/sum', (request, response) => {
  response.json({ sum: request.body.reduce((sum, number) => sum + number, 0) })
})

const { HYCO_CONNECTION_STRING: connectionString } = process.env
const server = new hyco.RelayedServer({ connectionString, httpServer: http.createServer(app) })
server.on('listening', () => console.log(`listening at ${server.listenUri}`))
server.on('error', (error) => console.error(error.message))
server.on('requestError', (error) => console.error(error.message))
process.once('SIGINT', () => server.close())
