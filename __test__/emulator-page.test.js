'use strict'

const assert = require('node:assert')
const { accessSync } = require('node:fs')
const { after, before, test } = require('node:test')
const { chromium } = require('playwright-core')

const { createRelayedServer, startRelayEmulator } = require('..')

const BROWSERS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** @return {(String|undefined)} The browser of this system */
function installed() {
  return [process.env.CHROMIUM, ...BROWSERS].find((path) => {
    try {
      accessSync(path ?? '')
      return true
    } catch {
      return false
    }
  })
}

const executablePath = installed()
const TIMEOUT = {
  skip: executablePath === undefined && 'there is no Chromium; set CHROMIUM to its path',
  timeout: 120_000,
}

let browser
let relay
let server

before(async () => {
  if (executablePath === undefined) return
  relay = await startRelayEmulator({ hybridConnections: ['hyco', 'team/chat'] })
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
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
  page.setDefaultTimeout(30_000)
  const wrong = []
  page.on('pageerror', (error) => wrong.push(error.message))
  page.on('console', (message) => message.type() === 'error' && wrong.push(message.text()))
  page.on('request', (request) => {
    if (!request.url().includes(`:${relay.address.port}/`)) wrong.push(request.url())
  })
  await page.goto(`http://127.0.0.1:${relay.address.port}/`)
  return { page, wrong, context }
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
  await page.locator('#connections').getByText('1 messages, 22 B').waitFor()

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

  const refused = wrong.filter((text) => !/503/.test(text))
  assert.deepStrictEqual(refused, [], 'errors, or requests to elsewhere')
  if (process.env.SCREENSHOT) {
    await page.setViewportSize({ width: 1240, height: 900 })
    await page.getByLabel('Filter').fill('')
    await page.screenshot({ path: process.env.SCREENSHOT })
  }
  await context.close()
})

test('the page can be read on a phone and in the dark', TIMEOUT, async () => {
  const { page, wrong, context } = await open({
    viewport: { width: 360, height: 740 },
    colorScheme: 'dark',
  })
  await page.getByText('running').waitFor()
  const [wide, dark] = await page.evaluate(() => [
    document.documentElement.scrollWidth,
    getComputedStyle(document.body).backgroundColor,
  ])
  assert.ok(wide <= 360, `${wide} pixels wide`)
  assert.strictEqual(dark, 'rgb(20, 23, 26)')
  assert.deepStrictEqual(wrong, [])
  await context.close()
})
