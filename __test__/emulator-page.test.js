'use strict'

const assert = require('node:assert')
const { once } = require('node:events')
const http = require('node:http')
const { after, before, test } = require('node:test')

const { createRelayedServer, relayedConnect, startRelayEmulator } = require('..')
const { findChromium, launchChromium } = require('./support/chromium')
const { until } = require('./support/watch')

const executablePath = findChromium()
const TIMEOUT = {
  skip: executablePath === undefined && 'there is no Chromium; set CHROMIUM to its path',
  timeout: 600_000,
}

let browser
let relay
let server

before(async () => {
  if (executablePath === undefined) return
  relay = await startRelayEmulator({ hybridConnections: ['hyco', 'team/chat'] })
  browser = await launchChromium()
})

after(async () => {
  await browser?.close()
  if (server !== undefined) await new Promise((resolve) => server.close(resolve))
  await relay?.close()
})

/** @return {Promise<Object>} A page of the relay, and what went wrong on it */
async function open(settings) {
  const context = await browser.newContext(settings)
  const page = await context.newPage()
  page.setDefaultTimeout(60_000)
  const wrong = []
  page.on('pageerror', (error) => wrong.push(error.message))
  page.on('console', (message) => message.type() === 'error' && wrong.push(message.text()))
  page.on('request', (request) => {
    if (!request.url().includes(`:${relay.address.port}/`)) wrong.push(request.url())
  })
  await page.goto(`http://127.0.0.1:${relay.address.port}/`)
  return { page, wrong, context }
}

/** For the documents: everything at work. */
async function takeScreenshot(page, path) {
  await page.getByRole('button', { name: 'Connect', exact: true }).click()
  await page.locator('#connections tbody tr').waitFor()
  await page.getByLabel('Filter').fill('')
  await page.setViewportSize({ width: 1240, height: 900 })
  await page.evaluate(() => {
    document.activeElement.blur()
    scrollTo(0, 0)
  })
  await page.screenshot({ path })
  await page.getByRole('button', { name: 'Close', exact: true }).click()
}

test('the page shows what goes on and lets a browser take part', TIMEOUT, async () => {
  const { page, wrong, context } = await open()
  await page.getByText('running').waitFor()
  await page.locator('#hybrid tr[data-key="team/chat"]').waitFor()

  // A listener appears.
  assert.strictEqual(await page.locator('#listeners tbody tr').count(), 0)
  server = createRelayedServer(
    { connectionString: `${relay.connectionString};EntityPath=hyco` },
    (socket) => socket.on('message', (data) => socket.send(`echo of ${data}`)),
  )
  server.on('error', () => {})
  server.on('offline', () => {})
  await page.locator('#listeners tbody tr').waitFor()

  // The browser connects as a sender; the counters move.
  await page.getByRole('button', { name: 'Connect', exact: true }).click()
  await page.getByText('connected to hyco').waitFor()
  await page.getByLabel('Message').fill('hello from the browser')
  await page.getByRole('button', { name: 'Send', exact: true }).click()
  await page.getByText('echo of hello from the browser').waitFor()
  await page.locator('#connections').getByText('1 message, 22 B').waitFor()

  // A connection is closed, a fault is switched on and off.
  await page.locator('#connections').getByRole('button', { name: 'Close number' }).click()
  await page.getByText('closed with 1001').waitFor()
  await page.locator('[name=preset]').selectOption('Refuse handshakes with 503')
  await page.getByRole('button', { name: 'Switch on' }).click()
  await page.getByText('refuse status=503').waitFor()
  await page.getByRole('button', { name: 'Connect', exact: true }).click()
  await page.locator('#refusals').getByText('503 connect /hyco').waitFor()
  await page.getByRole('button', { name: 'Switch off' }).click()
  await page.locator('#faults li').waitFor({ state: 'detached' })
  assert.deepStrictEqual(relay.faults(), [])

  // The log can be searched, and a hybrid connection created, with the keyboard alone.
  await page.getByLabel('Filter').fill('paired')
  await page.locator('#log li:visible', { hasText: 'paired' }).first().waitFor()
  assert.strictEqual(await page.locator('#log li:visible', { hasText: 'handshake' }).count(), 0)
  await page.locator('#create').getByLabel('Path').focus()
  await page.keyboard.type('made-here')
  await page.keyboard.press('Enter')
  await page.locator('#hybrid tr[data-key="made-here"]').waitFor()
  assert.ok(relay.hybridConnections().some(({ path }) => path === 'made-here'))

  // An HTTP request goes through the listener; one that waits is shown and can be ended.
  let held
  const web = http.createServer((request, response) => {
    if (request.url === '/hyco/held') held = response
    else response.end(`you asked for ${request.method} ${request.url}`)
  })
  server.attach(web)
  await page.getByLabel('Method').selectOption('POST')
  await page.getByLabel('Path behind it').fill('orders?id=1')
  await page.getByLabel('Message').fill('an order')
  await page.getByRole('button', { name: 'Send HTTP request' }).click()
  await page.getByText('you asked for POST /hyco/orders?id=1').waitFor()
  await page.locator('#answers').getByText('200 POST /hyco/orders').waitFor()
  await page.getByLabel('Path behind it').fill('/held')
  await page.getByRole('button', { name: 'Send HTTP request' }).click()
  await page.locator('#requests tr', { hasText: 'POST /hyco/held' }).waitFor()
  await until(() => held !== undefined, 'the listener has the request')
  if (process.env.SCREENSHOT) await takeScreenshot(page, process.env.SCREENSHOT)
  await page.getByRole('button', { name: 'End request' }).click()
  await page.locator('#refusals').getByText('502 http /hyco/held').waitFor()

  // A sender that nobody meets is shown as waiting.
  const { id } = relay.setFault({ kind: 'swallowAccept' })
  const sender = relayedConnect(null, null, {
    connectionString: `${relay.connectionString};EntityPath=hyco`,
  })
  sender.on('error', () => {})
  await page.locator('#pending tbody tr', { hasText: 'hyco' }).waitFor()
  const gone = new Promise((resolve) => sender.once('close', resolve))
  sender.terminate()
  await gone
  await page.locator('#pending tbody tr').waitFor({ state: 'detached' })
  relay.removeFault(id)

  const refused = wrong.filter((text) => !/50[23]/.test(text))
  assert.deepStrictEqual(refused, [], 'errors, or requests to elsewhere')
  await context.close()
})

/** What is cut off, or reaches out of its box. */
const overflowing = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll('section *:not(option)')]
      .filter((element) => {
        const { right, width } = element.getBoundingClientRect()
        if (width === 0 || element.closest('thead')) return false
        const box = element.closest('section').getBoundingClientRect()
        return (
          right > box.right ||
          (element.scrollWidth > element.clientWidth + 1 && element.matches('td, li'))
        )
      })
      .map((element) => element.outerHTML.slice(0, 120)),
  )

test('nothing is cut off, on a phone in the dark and on a desk', TIMEOUT, async () => {
  const long = 'a-name/that-is-rather-long/for-a-hybrid-connection-of-a-team'
  relay.createHybridConnection(long)
  const listening = createRelayedServer({
    connectionString: `${relay.connectionString};EntityPath=${long}`,
  })
  listening.on('error', () => {})
  await once(listening, 'listening')
  const sender = relayedConnect(null, null, {
    connectionString: `${relay.connectionString};EntityPath=${long}`,
  })
  await once(sender, 'open')
  for (const [width, colorScheme, back] of [
    [360, 'dark', 'rgb(20, 23, 26)'],
    [1240, 'light', 'rgb(255, 255, 255)'],
  ]) {
    const { page, wrong, context } = await open({ viewport: { width, height: 740 }, colorScheme })
    await page.getByText('running').waitFor()
    await page.locator('#connections tbody tr', { hasText: long }).waitFor()
    const [wide, seen] = await page.evaluate(() => [
      document.documentElement.scrollWidth,
      getComputedStyle(document.body).backgroundColor,
    ])
    assert.ok(wide <= width, `${wide} pixels wide`)
    assert.strictEqual(seen, back)
    assert.deepStrictEqual(await overflowing(page), [])
    assert.deepStrictEqual(wrong, [])
    await context.close()
  }
  sender.terminate()
  await new Promise((resolve) => listening.close(resolve))
  relay.deleteHybridConnection(long)
})

test('the page can be used with the keyboard alone', TIMEOUT, async () => {
  relay.createHybridConnection('by-key')
  const echo = createRelayedServer(
    { connectionString: `${relay.connectionString};EntityPath=by-key` },
    (socket) => socket.on('message', (data) => socket.send(`echo of ${data}`)),
  )
  echo.on('error', () => {})
  await once(echo, 'listening')
  const { page, wrong, context } = await open()
  await page.getByText('running').waitFor()

  // Enter does what stands beside the field.
  const console = page.locator('#sender')
  await console.getByLabel('Hybrid connection').selectOption('by-key')
  await console.getByRole('button', { name: 'Connect', exact: true }).focus()
  await page.keyboard.press('Enter')
  await page.getByText('connected to by-key').waitFor()
  await page.getByLabel('Message').focus()
  await page.keyboard.type('by hand')
  await page.keyboard.press('Enter')
  await page.getByText('echo of by hand').waitFor()

  // What has the focus keeps it while the page goes on, and gives it to what is next when it goes.
  const ids = ['delayAccept', 'swallowAccept'].map((kind) => {
    return relay.setFault({
      kind,
      delay: kind === 'delayAccept' ? 1 : undefined,
      hybridConnection: 'x',
    }).id
  })
  const switches = page.getByRole('button', { name: 'Switch off' })
  await switches.nth(1).waitFor()
  await switches.first().focus()
  relay.setFault({ kind: 'refuse', status: 503, hybridConnection: 'x' })
  await switches.nth(2).waitFor()
  const focused = () => page.evaluate(() => document.activeElement.getAttribute('aria-label'))
  assert.strictEqual(await focused(), `Switch off fault ${ids[0]}`)
  await page.keyboard.press('Enter')
  await switches.nth(2).waitFor({ state: 'detached' })
  assert.strictEqual(await focused(), `Switch off fault ${ids[1]}`)
  relay.clearFaults()

  // What goes wrong is said where it is seen.
  await page.locator('#create').getByLabel('Path').focus()
  await page.keyboard.type('BY-KEY')
  await page.keyboard.press('Enter')
  await page.getByRole('alert').getByText("there is a hybrid connection 'BY-KEY' already").waitFor()
  await page.getByRole('button', { name: 'Dismiss' }).click()
  await page.getByRole('alert').waitFor({ state: 'hidden' })

  assert.deepStrictEqual(
    wrong.filter((text) => !text.includes('409')),
    [],
  )
  await context.close()
  await new Promise((resolve) => echo.close(resolve))
  relay.deleteHybridConnection('by-key')
})
