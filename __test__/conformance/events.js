'use strict'

const assert = require('node:assert/strict')
const { on } = require('node:events')
const WebSocket = require('ws')
const { closed, turn, until } = require('../support/watch')

const HANDLERS = ['onopen', 'onmessage', 'onerror', 'onclose']
const CLOSE = { code: 3001, reason: 'bye' }

/** The event that a listener added with `addEventListener` gets. */
function event(socket, type) {
  return new Promise((resolve) => socket.addEventListener(type, resolve))
}

/** The face of a browser's WebSocket. */
module.exports = (row) => {
  row('has no handlers at first', async (pair) => {
    const { subject } = await pair.open()
    for (const name of HANDLERS) assert.equal(subject[name], null)
  })

  row('gives back the handlers that were set', async (pair) => {
    const { subject } = await pair.open()
    for (const name of HANDLERS) {
      const handler = () => {}
      subject[name] = handler
      assert.equal(subject[name], handler)
    }
  })

  row('takes null and other values that are no function as no handler', async (pair) => {
    const { subject } = await pair.open()
    for (const value of [null, undefined, 'text', 5, {}]) {
      subject.onmessage = () => assert.fail('must not be called')
      subject.onmessage = value
      assert.equal(subject.onmessage, null)
      assert.equal(subject.listenerCount('message'), 0)
    }
  })

  row('replaces a handler by the next', async (pair) => {
    const { subject, peer } = await pair.open()
    subject.onmessage = () => assert.fail('must not be called')
    const received = new Promise((resolve) => {
      subject.onmessage = resolve
    })
    assert.equal(subject.listenerCount('message'), 1)
    peer.send('hello')
    assert.equal((await received).data, 'hello')
  })

  row('calls onopen with an event', { role: 'client' }, async (pair) => {
    let opened
    const { subject } = await pair.open({
      onSubject: (socket) => {
        opened = new Promise((resolve) => {
          socket.onopen = resolve
        })
      },
    })
    const { type, target } = await opened
    assert.equal(type, 'open')
    assert.equal(target, subject)
  })

  row('calls onmessage with a string for text', async (pair) => {
    const { subject, peer } = await pair.open()
    const received = new Promise((resolve) => {
      subject.onmessage = resolve
    })
    peer.send('grüße')
    const { data, type, target } = await received
    assert.equal(data, 'grüße')
    assert.equal(type, 'message')
    assert.equal(target, subject)
  })

  row('calls onmessage with a Buffer for binary', async (pair) => {
    const { subject, peer } = await pair.open()
    const received = new Promise((resolve) => {
      subject.onmessage = resolve
    })
    peer.send(Buffer.from([1, 2]))
    const { data } = await received
    assert.ok(Buffer.isBuffer(data))
    assert.deepEqual([...data], [1, 2])
  })

  row(
    'calls onmessage with what binaryType says, and text as a string all the same',
    async (pair) => {
      const { subject, peer } = await pair.open()
      const received = []
      subject.onmessage = ({ data }) => received.push(data)
      for (const type of ['arraybuffer', 'blob', 'fragments']) {
        subject.binaryType = type
        const count = received.length
        peer.send(Buffer.from('x'))
        peer.send('text')
        await until(() => received.length === count + 2, 'two messages')
      }
      const types = received.map((data) => data.constructor.name)
      assert.deepEqual(types, ['ArrayBuffer', 'String', 'Blob', 'String', 'Array', 'String'])
    },
  )

  row('calls handlers with the socket as this', async (pair) => {
    const { subject, peer } = await pair.open()
    const seen = []
    subject.onmessage = function onmessage() {
      seen.push(this)
    }
    subject.addEventListener('message', function onMessage() {
      seen.push(this)
    })
    peer.send('x')
    await until(() => seen.length === 2, 'two calls')
    assert.deepEqual(
      seen.map((value) => value === subject),
      [true, true],
    )
  })

  row('calls onclose with code, reason and wasClean', async (pair) => {
    const { subject, peer } = await pair.open()
    const end = new Promise((resolve) => {
      subject.onclose = resolve
    })
    peer.close(CLOSE.code, CLOSE.reason)
    const { type, target, code, reason, wasClean } = await end
    assert.equal(type, 'close')
    assert.equal(target, subject)
    assert.deepEqual({ code, reason }, CLOSE)
    assert.equal(wasClean, true)
  })

  row('says that a close of its own was clean', async (pair) => {
    const { subject } = await pair.open()
    const end = event(subject, 'close')
    subject.close(1000)
    const { code, reason, wasClean } = await end
    assert.deepEqual([code, reason, wasClean], [1000, '', true])
  })

  row('says that a loss was not clean', async (pair) => {
    const { subject, peer } = await pair.raw()
    const end = event(subject, 'close')
    peer.destroy()
    const { code, reason, wasClean } = await end
    assert.deepEqual([code, reason, wasClean], [1006, '', false])
  })

  row('says that terminate() was not clean', async (pair) => {
    const { subject } = await pair.open()
    const end = event(subject, 'close')
    subject.terminate()
    assert.equal((await end).wasClean, false)
  })

  row('says that an unanswered close was not clean', async (pair) => {
    const { subject, peer } = await pair.raw({ subject: { closeTimeout: 40 } })
    const end = event(subject, 'close')
    subject.close(1000)
    await peer.next()
    const { code, wasClean } = await end
    assert.deepEqual([code, wasClean], [1006, false])
  })

  row('calls onerror with the error and its message', async (pair) => {
    const { subject, peer } = await pair.raw()
    const failure = new Promise((resolve) => {
      subject.onerror = resolve
    })
    peer.send('x', { opcode: 3 })
    peer.answerClose()
    const { type, target, error, message } = await failure
    assert.equal(type, 'error')
    assert.equal(target, subject)
    assert.equal(error.code, 'WS_ERR_INVALID_OPCODE')
    assert.equal(message, error.message)
  })

  row("makes events of ws's classes with enumerable fields", async (pair) => {
    const { subject, peer } = await pair.raw()
    const events = []
    for (const type of ['message', 'error', 'close']) {
      subject.addEventListener(type, (value) => events.push(value))
    }
    const end = closed(subject)
    peer.write(peer.frame('text'), peer.frame('x', { opcode: 3 }))
    peer.answerClose()
    await end
    const shapes = events.map((value) => {
      const fields = []
      for (const field in value) fields.push(field)
      return [value.constructor.name, fields.sort()]
    })
    assert.deepEqual(shapes, [
      ['MessageEvent', ['data', 'target', 'type']],
      ['ErrorEvent', ['error', 'message', 'target', 'type']],
      ['CloseEvent', ['code', 'reason', 'target', 'type', 'wasClean']],
    ])
  })

  row('calls every listener added with addEventListener', async (pair) => {
    const { subject, peer } = await pair.open()
    const calls = []
    subject.addEventListener('message', ({ data }) => calls.push(`a ${data}`))
    subject.addEventListener('message', ({ data }) => calls.push(`b ${data}`))
    peer.send('1')
    await until(() => calls.length === 2, 'two calls')
    assert.deepEqual(calls, ['a 1', 'b 1'])
  })

  row('adds the same listener once only', async (pair) => {
    const { subject, peer } = await pair.open()
    const calls = []
    const listener = ({ data }) => calls.push(data)
    subject.addEventListener('message', listener)
    subject.addEventListener('message', listener)
    subject.addEventListener('message', listener, { once: true })
    assert.equal(subject.listenerCount('message'), 1)
    peer.send('1')
    peer.send('2')
    await until(() => calls.length === 2, 'two calls')
    assert.deepEqual(calls, ['1', '2'])
  })

  row('adds a listener that is also a handler', async (pair) => {
    const { subject, peer } = await pair.open()
    const calls = []
    const listener = ({ data }) => calls.push(data)
    subject.onmessage = listener
    subject.addEventListener('message', listener)
    assert.equal(subject.listenerCount('message'), 2)
    peer.send('1')
    await until(() => calls.length === 2, 'two calls')
    assert.equal(subject.onmessage, listener)
  })

  row('calls a listener once with the option once', async (pair) => {
    const { subject, peer } = await pair.open()
    const once = []
    const always = []
    subject.addEventListener('message', ({ data }) => once.push(data), { once: true })
    subject.addEventListener('message', ({ data }) => always.push(data))
    peer.send('1')
    peer.send('2')
    await until(() => always.length === 2, 'two messages')
    assert.deepEqual(once, ['1'])
  })

  row('calls handleEvent of an object', async (pair) => {
    const { subject, peer } = await pair.open()
    const listener = {
      calls: [],
      handleEvent(value) {
        this.calls.push([value.type, value.data])
      },
    }
    subject.addEventListener('message', listener)
    peer.send('1')
    await until(() => listener.calls.length === 1, 'a call')
    assert.deepEqual(listener.calls, [['message', '1']])
    subject.removeEventListener('message', listener)
    assert.equal(subject.listenerCount('message'), 0)
  })

  row('removes a listener with removeEventListener', async (pair) => {
    const { subject } = await pair.open()
    const listener = () => {}
    subject.addEventListener('message', listener)
    const other = () => {}
    subject.removeEventListener('message', other)
    assert.equal(subject.listenerCount('message'), 1)
    subject.removeEventListener('message', listener)
    assert.equal(subject.listenerCount('message'), 0)
  })

  row(
    "does not remove a handler or an emitter's listener with removeEventListener",
    async (pair) => {
      const { subject } = await pair.open()
      const listener = () => {}
      subject.onmessage = listener
      subject.on('message', listener)
      subject.removeEventListener('message', listener)
      assert.equal(subject.listenerCount('message'), 2)
      assert.equal(subject.onmessage, listener)
    },
  )

  row('can remove a listener inside a listener', async (pair) => {
    const { subject, peer } = await pair.open()
    const calls = []
    const listener = ({ data }) => {
      calls.push(data)
      subject.removeEventListener('message', listener)
    }
    subject.addEventListener('message', listener)
    const end = closed(subject)
    peer.send('1')
    peer.send('2')
    peer.close()
    await end
    assert.deepEqual(calls, ['1'])
  })

  row('ignores events it does not know in addEventListener', async (pair) => {
    const { subject, peer } = await pair.open({ direct: true })
    subject.addEventListener('ping', () => assert.fail('must not be called'))
    subject.addEventListener('anything', () => assert.fail('must not be called'))
    assert.equal(subject.listenerCount('ping'), 0)
    peer.ping()
    subject.emit('anything')
    await turn()
  })

  row('keeps handlers and emitter listeners in the order of their registration', async (pair) => {
    const { subject, peer } = await pair.open()
    const calls = []
    subject.on('message', () => calls.push('on'))
    subject.onmessage = () => calls.push('onmessage')
    subject.addEventListener('message', () => calls.push('addEventListener'))
    subject.prependListener('message', () => calls.push('prepended'))
    peer.send('x')
    await until(() => calls.length === 4, 'four calls')
    assert.deepEqual(calls, ['prepended', 'on', 'onmessage', 'addEventListener'])
  })

  row('drops handlers with removeAllListeners', async (pair) => {
    const { subject } = await pair.open()
    subject.onmessage = () => {}
    subject.addEventListener('message', () => {})
    subject.removeAllListeners('message')
    assert.equal(subject.onmessage, null)
    assert.equal(subject.listenerCount('message'), 0)
  })

  row('gives its messages to events.on', async (pair) => {
    const { subject, peer } = await pair.open()
    const received = []
    const stop = new AbortController()
    const iterator = on(subject, 'message', { signal: stop.signal })
    for (const word of ['1', '2', '3']) peer.send(word)
    for await (const [data, isBinary] of iterator) {
      received.push([String(data), isBinary])
      if (received.length === 3) break
    }
    assert.deepEqual(received, [
      ['1', false],
      ['2', false],
      ['3', false],
    ])
  })

  row('emits no error when it is closed in the usual way', async (pair) => {
    const { subject, peer } = await pair.open()
    subject.on('error', assert.fail)
    peer.on('error', assert.fail)
    const end = closed(subject)
    subject.close()
    await end
  })

  row(
    'has the handlers as enumerable accessors of the prototype, not as own properties',
    async (pair) => {
      const { subject } = await pair.open()
      subject.onmessage = () => {}
      for (const name of HANDLERS) {
        assert.equal(Object.hasOwn(subject, name), false)
        assert.ok(name in subject)
      }
      assert.equal(WebSocket.prototype.addEventListener, subject.addEventListener)
    },
  )
}
