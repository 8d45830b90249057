// The open questions of docs/protocol.md, 7.2, that a client can ask the service, by their numbers there.

import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'

const MOST_LISTENERS = 25

export const questions = {
  1: {
    question: 'Which status has a request when nobody listens?',
    async ask(place) {
      const socket = await place.raw('connect')
      const http = await place.fetch()
      return `WebSocket: ${shown(socket)}; HTTP: ${http.status} ${withoutIds(http.statusText)}`
    },
  },

  2: {
    question: 'Is a bad token 401 or 403?',
    async ask(place) {
      const signature = await place.raw('connect', { token: place.token(60, 'another key') })
      const ended = await place.raw('connect', { token: place.token(-60) })
      const none = await place.raw('connect', { token: null })
      return `signed with another key: ${shown(signature)}; ended: ${shown(ended)}; none: ${shown(none)}`
    },
  },

  3: {
    question: 'Which status has a sender whose listener does not answer, and when?',
    async ask(place) {
      await rawListener(place)
      const started = Date.now()
      const outcome = await place.raw('connect')
      return `${shown(outcome)} after ${Math.round((Date.now() - started) / 1000)} s`
    },
  },

  4: {
    question: 'What does the address of an accept answer when it was used, or its sender has left?',
    async ask(place) {
      const control = await rawListener(place)
      const asked = command(control, 'accept')
      const sender = place.raw('connect')
      const { address } = await asked
      await place.dial(address)
      await sender
      const again = await place.dial(address)
      return `used: ${shown(again)}`
    },
  },

  5: {
    question: `What does listener number ${MOST_LISTENERS + 1} get?`,
    async ask(place) {
      for (let i = 0; i < MOST_LISTENERS; i++) await place.raw('listen')
      return shown(await place.raw('listen'))
    },
  },

  6: {
    question: 'Is Host among the headers of a relayed request?',
    async ask(place) {
      const { Host: host } = (await relayed(place)).requestHeaders
      return host === undefined ? 'no' : `yes, ${host}`
    },
  },

  7: {
    question: 'Is requestTarget escaped as the sender wrote it?',
    ask: async (place) => (await relayed(place, '/a%20b/%C3%A9?q=%2F+x')).requestTarget,
  },

  10: {
    question: 'Does a small request without Content-Length come by the control channel?',
    async ask(place) {
      const chunked = { method: 'POST', body: new Blob(['x']).stream(), duplex: 'half' }
      const request = await relayed(place, '', chunked)
      return 'method' in request ? 'yes' : 'no, as a pointer'
    },
  },

  11: {
    question: 'Which members has the pointer to a large request?',
    async ask(place) {
      const large = { method: 'POST', body: 'x'.repeat(70_000) }
      return Object.keys(await relayed(place, '', large)).join(', ')
    },
  },

  13: {
    question: 'Which close code does a sender see when its listener breaks off?',
    async ask(place) {
      const control = await rawListener(place)
      const asked = command(control, 'accept')
      const connecting = place.raw('connect')
      const { socket: accepted } = await place.dial((await asked).address)
      const { socket } = await connecting
      const closing = once(socket, 'close')
      accepted.terminate()
      const [code, reason] = await closing
      return `${code} '${reason}'`
    },
  },

  14: {
    question: 'Does the service answer an extension that a sender offers?',
    async ask(place) {
      await place.listen()
      const { socket, ...refused } = await place.raw('connect', { perMessageDeflate: true })
      return socket ? `extensions: '${socket.extensions}'` : shown(refused)
    },
  },

  15: {
    question: 'Is a ping on the control channel answered?',
    async ask(place) {
      const control = await rawListener(place)
      control.ping()
      const pong = once(control, 'pong').then(() => 'yes')
      return Promise.race([pong, delay(10_000, 'not within 10 s', { ref: false })])
    },
  },

  17: {
    question: 'For which spellings of the address may a token be signed?',
    async ask(place) {
      await place.listen()
      const host = place.host.replace(/:\d+$/, '')
      const spellings = {
        'the namespace, http': `http://${host}/`,
        'the namespace, sb': `sb://${host}/`,
        'with a port': `http://${host}:443/${place.path}`,
        'upper case': `http://${host.toUpperCase()}/${place.path.toUpperCase()}`,
        'a slash behind': `http://${host}/${place.path}/`,
      }
      const answers = []
      for (const [name, uri] of Object.entries(spellings)) {
        const outcome = await place.raw('connect', { token: place.token(60, place.key, uri) })
        answers.push(`${name}: ${shown(outcome)}`)
      }
      return answers.join('; ')
    },
  },

  18: {
    question: 'What becomes of a tracking id that is no GUID?',
    async ask(place) {
      const server = await place.listen()
      const connected = once(server, 'connection')
      const outcome = await place.raw('connect', {
        query: 'sb-hc-action=connect&sb-hc-id=not-a-guid',
      })
      if (!outcome.socket) return shown(outcome)
      const [, request] = await connected
      return `the listener sees '${request.trackingId}'`
    },
  },

  19: {
    question: 'May a listener listen below the path of the hybrid connection?',
    ask: async (place) => shown(await place.raw('listen', { suffix: '/below' })),
  },

  20: {
    question: 'Does Authorization of a sender reach the listener?',
    async ask(place) {
      const server = await place.listen()
      const connected = once(server, 'connection')
      const outcome = await place.raw('connect', { headers: { Authorization: 'Basic eDp5' } })
      if (!outcome.socket) return shown(outcome)
      const [, request] = await connected
      return 'authorization' in request.headers ? 'yes' : 'no'
    },
  },

  21: {
    question: 'What does a handshake without sb-hc-action mean?',
    ask: async (place) => shown(await place.raw('', { query: '' })),
  },
}

/** The control channel of a listener that answers nothing by itself. */
async function rawListener(place) {
  const { socket, ...refused } = await place.raw('listen')
  if (!socket) throw new Error(`the control channel was refused: ${shown(refused)}`)
  return socket
}

/** The next command of a kind on a control channel. */
function command(control, name) {
  return new Promise((resolve) => {
    control.on('message', (data, isBinary) => {
      const message = isBinary ? {} : JSON.parse(data)
      if (name in message) resolve(message[name])
    })
  })
}

/** What a listener is told of an HTTP request, which is answered then. */
async function relayed(place, target, init) {
  const control = await rawListener(place)
  const asked = command(control, 'request')
  const answer = place.fetch(target, init).catch(() => {})
  const request = await asked
  if (request.id !== undefined) {
    const response = { requestId: request.id, statusCode: 200, responseHeaders: {}, body: false }
    control.send(JSON.stringify({ response }))
    await answer
  }
  return request
}

function shown({ socket, status, reason }) {
  return socket ? 'accepted' : `${status} ${withoutIds(reason)}`
}

/** The texts of the service end in the id of the request and the time. */
function withoutIds(reason) {
  return reason.replace(/\.? TrackingId:.*$/, '')
}
