import https = require('./https.js')

export import Agent = https.Agent
export import AgentOptions = https.AgentOptions
export import RequestOptions = https.RequestOptions
export import Server = https.Server
export import ServerConstructor = https.ServerConstructor
export import ServerOptions = https.ServerOptions
export import ServerResponse = https.ServerResponse
export import appendRelayToken = https.appendRelayToken
export import createRelayBaseUri = https.createRelayBaseUri
export import createRelayHttpsUri = https.createRelayHttpsUri
export import createRelayListenUri = https.createRelayListenUri
export import createRelaySendUri = https.createRelaySendUri
export import createRelayToken = https.createRelayToken
export import createRelayedServer = https.createRelayedServer
export import createServer = https.createServer
export import get = https.get
export import globalAgent = https.globalAgent
export import request = https.request

export default https
