/** The page of the local relay: it asks the administration, and hears its events. */

import { $, button, choices, element, fill, keep, prepend } from './dom.js'

/** How many entries the lists keep. */
const MOST_LOGGED = 500
const MOST_REFUSALS = 20
const MOST_ANSWERS = 20

/** The faults of the switches; docs/emulator.md has all. */
const PRESETS = {
  'Lose listeners': { kind: 'drop', on: 'control' },
  'Silence listeners': { kind: 'blackHole', on: 'control' },
  'Close listeners with 1011': { kind: 'close', on: 'control', code: 1011 },
  'Lose connections': { kind: 'drop', on: 'connection' },
  'Silence connections': { kind: 'blackHole', on: 'connection' },
  'Refuse handshakes with 503': { kind: 'refuse', status: 503 },
  'Refuse handshakes with 401': { kind: 'refuse', status: 401 },
  'Listeners never hear of senders': { kind: 'swallowAccept' },
  'Listeners hear of senders 5 s late': { kind: 'delayAccept', delay: 5000 },
  'Latency of 200 ms': { kind: 'latency', delay: 200, jitter: 50 },
  '50 kB in a second': { kind: 'bandwidth', bytesPerSecond: 50_000 },
  'Frames of 1 kB': { kind: 'slice', bytes: 1024 },
}

/** What the tables show. */
const SHOWN = [
  'hybridConnections',
  'listeners',
  'connections',
  'requests',
  'pending',
  'faults',
  'connectionStrings',
]

/** Asks the administration. */
async function ask(method, target, body) {
  const init = body === undefined ? { method } : { method, body: JSON.stringify(body) }
  const response = await fetch(`/$admin/${target}`, init)
  const answer = await response.json()
  if (!response.ok) throw new Error(answer.error)
  return answer
}

const time = (millis) => new Date(millis).toLocaleTimeString()

function amount({ messages, bytes }) {
  return `${counted(messages, 'message')}, ${size(bytes)}`
}

function counted(count, what) {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}

function size(bytes) {
  const units = ['B', 'kB', 'MB', 'GB']
  let unit = 0
  for (; bytes >= 1000 && unit < 3; unit++) bytes /= 1000
  return `${unit === 0 ? bytes : bytes.toFixed(1)} ${units[unit]}`
}

function ending(kind, number) {
  const span = element('span', undefined, { className: 'buttons' })
  span.append(
    button('Close', `Close number ${number}`, () => act('DELETE', `${kind}/${number}`)),
    button('Drop', `Drop number ${number}`, () => act('DELETE', `${kind}/${number}?drop`)),
  )
  return span
}

/** Does something, and shows what is wrong with it where nobody overlooks it. */
async function act(method, target, body) {
  try {
    await ask(method, target, body)
    complain()
  } catch (error) {
    complain(error.message)
  }
  refresh()
}

function complain(text) {
  $('#problem').hidden = text === undefined
  $('#problem span').textContent = text ?? ''
}

let strings = new Map()

/** The buttons that copy a connection string, for each of the two ports that there can be. */
function copying(path) {
  const span = element('span', undefined, { className: 'buttons' })
  const { plain, tls } = strings.get(path) ?? {}
  if (plain) span.append(copyButton('Copy', `Copy the connection string of ${path}`, plain))
  if (tls) span.append(copyButton('Copy for TLS', `Copy for TLS that of ${path}`, tls))
  return span
}

function copyButton(text, label, what) {
  return button(text, label, async ({ target }) => {
    try {
      await navigator.clipboard.writeText(what)
      target.textContent = 'Copied'
      setTimeout(() => (target.textContent = text), 1500)
    } catch {
      // Without a secure context there is no clipboard.
      complain(what)
    }
  })
}

let refreshing = false

async function refresh() {
  if (refreshing) return
  refreshing = true
  try {
    const answers = await Promise.all(SHOWN.map((target) => ask('GET', target)))
    show(Object.fromEntries(SHOWN.map((target, index) => [target, answers[index]])))
    tell('running', 'good')
  } catch (error) {
    tell(`not reachable: ${error.message}`, 'bad')
  } finally {
    refreshing = false
  }
}

/** Says it once, since what is said again is read aloud again. */
function tell(text, kind) {
  if ($('#state').textContent === text) return
  $('#state').textContent = text
  $('#state').className = kind
}

function show({ hybridConnections, connections, faults, connectionStrings, ...rest }) {
  strings = new Map(connectionStrings.map((entry) => [entry.hybridConnection, entry]))
  const paths = hybridConnections.map(({ path }) => path)
  choices($('#sender [name=path]'), paths, [])
  choices($('#fault [name=path]'), paths, [''])
  fill('hybrid', hybridConnections, 'path', (one) => [
    one.path,
    one.requiresClientAuthorization ? 'with token' : 'anonymous',
    String(one.listeners),
    String(one.pending),
    String(one.connections),
    String(one.requests),
    copying(one.path),
  ])
  fill('listeners', rest.listeners, 'number', (one) => [
    one.hybridConnection,
    one.remote,
    time(one.since),
    counted(one.announced, 'sender'),
    ending('listeners', one.number),
  ])
  fill('connections', connections, 'number', (one) => [
    String(one.number),
    one.hybridConnection,
    amount(one.toListener),
    amount(one.toSender),
    time(one.since),
    ending('connections', one.number),
  ])
  fill('requests', rest.requests, 'number', (one) => [
    `${one.method} ${one.path}`,
    one.sender,
    one.status === null ? 'none yet' : String(one.status),
    size(one.toListener),
    size(one.toSender),
    time(one.since),
    button('End', `End request ${one.number}`, () => act('DELETE', `requests/${one.number}`)),
  ])
  fill('pending', rest.pending, 'trackingId', (one) => [
    one.hybridConnection,
    `${(one.waiting / 1000).toFixed(1)} s`,
    one.trackingId,
  ])
  keep($('#faults'), faults, 'id', ({ id, struck, ...what }, item = switchedOn(id)) => {
    item.firstChild.textContent = `${describe(what)} — struck ${counted(struck, 'time')}`
    return item
  })
  chart(connections)
}

/** The entry of a fault, with its switch. */
function switchedOn(id) {
  const item = element('li')
  const off = () => act('DELETE', `faults/${id}`)
  item.append(element('span'), button('Switch off', `Switch off fault ${id}`, off))
  return item
}

/** The name of the switch, and all that the fault is. */
function describe({ hybridConnection, ...fault }) {
  const entries = Object.entries(fault).map(([name, value]) => `${name}=${value}`)
  const preset = Object.entries(PRESETS).find(([, given]) =>
    Object.entries(given).every(([name, value]) => fault[name] === value),
  )
  const text = entries.join(' ').replace('kind=', '')
  const where = hybridConnection === undefined ? '' : ` at ${hybridConnection}`
  return preset === undefined ? `${text}${where}` : `${preset[0]}${where} (${text})`
}

const rates = []
let total

/** Draws how much passes. A connection that has ended takes its bytes out of the sum. */
function chart(connections) {
  const now = performance.now()
  const bytes = connections.reduce((sum, one) => sum + one.toListener.bytes + one.toSender.bytes, 0)
  if (total !== undefined) {
    const seconds = Math.max((now - total.now) / 1000, 0.05)
    rates.push(Math.max(0, bytes - total.bytes) / seconds)
    if (rates.length > 60) rates.shift()
  }
  total = { now, bytes }
  const most = Math.max(...rates, 1)
  const points = rates.map(
    (rate, index) => `${(61 - rates.length + index) * 2},${29 - (rate / most) * 28}`,
  )
  $('#line').setAttribute('points', points.join(' '))
  $('#rate').textContent =
    `${size(Math.round(rates.at(-1) ?? 0))}/s, at most ${size(Math.round(most))}/s`
}

/** What an event says beside its kind. */
function logged({ serial, time, type, ...rest }) {
  const text = Object.entries(rest).map(
    ([name, value]) => `${name}=${typeof value === 'object' ? JSON.stringify(value) : value}`,
  )
  return text.join(' ')
}

function hear(event) {
  const item = element('li')
  const { serial, time: when, type } = event
  const number = serial === undefined ? '' : `${serial} ${time(when)} `
  item.append(element('span', number, { className: 'quiet' }), element('b', type))
  item.append(` ${logged(event)}`)
  if (event.type === 'refused' || event.type === 'warning') item.className = 'bad'
  item.hidden = !matches(item)
  prepend('#log', item, MOST_LOGGED)
  if (event.type === 'answered') {
    const { method, path, status, duration, toListener, toSender, whole } = event
    const bytes = `${size(toListener)} there, ${size(toSender)} back`
    const broken = whole ? '' : ', broken off'
    const text = `${status} ${method} ${path} in ${duration} ms, ${bytes}${broken}`
    prepend('#answers', element('li', text), MOST_ANSWERS)
  }
  if (event.type !== 'refused') return
  const refusal = element('li', `${event.status} ${event.action} ${event.path}: ${event.reason}`)
  if (event.hint) refusal.append(element('div', event.hint, { className: 'quiet' }))
  prepend('#refusals', refusal, MOST_REFUSALS)
}

function matches(item) {
  return item.textContent.toLowerCase().includes($('#filter').value.toLowerCase())
}

function note(text) {
  $('#console').textContent += `${text}\n`
  $('#console').scrollTop = $('#console').scrollHeight
}

let socket

async function tokenOf(hybridConnection) {
  return (await ask('POST', 'tokens', { hybridConnection })).token
}

async function connect(path) {
  const token = encodeURIComponent(await tokenOf(path))
  const scheme = location.protocol === 'https:' ? 'wss' : 'ws'
  const query = `sb-hc-action=connect&sb-hc-token=${token}`
  socket = new WebSocket(`${scheme}://${location.host}/$hc/${path}?${query}`)
  socket.onopen = () => connected(true, `connected to ${path}`)
  socket.onclose = ({ code, reason }) => connected(false, `closed with ${code} ${reason}`)
  socket.onmessage = async ({ data }) => {
    note(`< ${typeof data === 'string' ? data : await data.text()}`)
  }
}

function connected(is, text) {
  $('[name=connect]').textContent = is ? 'Close' : 'Connect'
  $('[name=send]').disabled = !is
  note(text)
}

async function request(path, behind, method, message) {
  const headers = { ServiceBusAuthorization: await tokenOf(path) }
  const init = method === 'GET' ? { headers } : { method, headers, body: message }
  const slash = behind === '' || behind.startsWith('/') || behind.startsWith('?') ? '' : '/'
  const response = await fetch(`/${path}${slash}${behind}`, init)
  note(`${response.status} ${response.statusText}\n${await response.text()}`)
}

$('#create').onsubmit = (event) => {
  event.preventDefault()
  const { path, anonymous } = event.target.elements
  act('POST', 'hybridConnections', {
    path: path.value,
    requiresClientAuthorization: !anonymous.checked,
  })
  event.target.reset()
}

$('#fault [name=preset]').append(...Object.keys(PRESETS).map((name) => element('option', name)))
$('#fault').onsubmit = (event) => {
  event.preventDefault()
  const { preset, path, count } = event.target.elements
  act('POST', 'faults', {
    ...PRESETS[preset.value],
    ...(path.value && { hybridConnection: path.value }),
    ...(count.value && { count: Number(count.value) }),
  })
}

/** Serves a form of the console; what fails is said there. */
function serve(form, submit) {
  $(form).onsubmit = async (event) => {
    event.preventDefault()
    try {
      await submit(event.target.elements)
    } catch (error) {
      note(error.message)
    }
  }
}

serve('#sender', ({ path, connect: { textContent } }) =>
  textContent === 'Close' ? socket.close() : connect(path.value),
)
serve('#message', ({ message }) => {
  socket.send(message.value)
  note(`> ${message.value}`)
  message.value = ''
})
serve('#ask', ({ method, behind }) =>
  request($('#sender [name=path]').value, behind.value, method.value, $('[name=message]').value),
)
$('#problem button').onclick = () => complain()

$('#filter').oninput = () => {
  for (const item of $('#log').children) item.hidden = !matches(item)
}

ask('GET', 'journal').then((events) => events.slice(-MOST_LOGGED).forEach(hear))
const source = new EventSource('/$admin/events')
source.onmessage = ({ data }) => {
  hear(JSON.parse(data))
  refresh()
}
setInterval(refresh, 1000)
refresh()
