'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { join } = require('node:path')
const { after, before, describe, it } = require('node:test')
const { pathToFileURL } = require('node:url')

const hyco = require('..')
const { findChromium, launchChromium } = require('./support/chromium')
const Cli = require('./support/cli')
const TestRelay = require('./support/relay')

const PAGE = pathToFileURL(join(__dirname, '..', 'examples', 'browser.html')).href

const missing = findChromium() === undefined && 'there is no Chromium on this machine'

describe('a sender in a browser', { skip: missing, timeout: 300_000 }, () => {
  let relay
  let server
  let browser

  before(async () => {
    relay = await TestRelay.start({ hybridConnections: ['hyco'] })
    server = hyco.createRelayedServer(
      { connectionString: relay.emulator.connectionString, path: 'hyco' },
      (socket) => socket.on('message', (data) => socket.send(`you said: ${data}`)),
    )
    await once(server, 'listening')
    browser = await launchChromium()
  })

  after(async () => {
    await browser?.close()
    await new Promise((resolve) => server.close(resolve))
    await relay.close()
  })

  it('talks to a listener with the address that the command line prints', async () => {
    const env = { HYCO_CONNECTION_STRING: `${relay.emulator.connectionString};EntityPath=hyco` }
    const { stdout } = await Cli.run(['uri', 'connect', '--with-token'], { env })
    const page = await browser.newPage()
    page.setDefaultTimeout(60_000)
    const faults = []
    page.on('pageerror', (error) => faults.push(error))
    await page.goto(PAGE)
    await page.getByLabel('Message').fill('too early')
    await page.getByRole('button', { name: 'Send' }).click()
    await page.getByText('not connected').waitFor()
    await page.getByLabel('Address').fill(stdout.trim())
    await page.getByRole('button', { name: 'Connect' }).click()
    await page.getByText('connected', { exact: true }).waitFor()
    await page.getByLabel('Message').fill('hello')
    await page.keyboard.press('Enter')
    await page.getByText('< you said: hello').waitFor()
    for (const socket of server.clients) socket.close(4000, 'enough')
    await page.getByText('closed: 4000 enough').waitFor()
    assert.deepEqual(faults, [])
  })
})
