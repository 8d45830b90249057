'use strict'

const { accessSync, constants } = require('node:fs')
const { delimiter, join } = require('node:path')

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

/**
 * The browser of this machine.
 *
 * @return {(String|undefined)} Its path: the variable CHROMIUM, or what PATH has
 */
function findChromium() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM
  const folders = (process.env.PATH ?? '').split(delimiter)
  return folders
    .flatMap((folder) => NAMES.map((name) => join(folder, name)))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}

/**
 * Starts it without a window.
 *
 * @return {Promise<Browser>} Of playwright
 */
function launchChromium() {
  const { chromium } = require('playwright-core')
  return chromium.launch({
    executablePath: findChromium(),
    args: [
      '--no-sandbox', // containers often forbid it, and the pages are ours
      '--disable-dev-shm-usage', // which is tiny in containers
      '--disable-gpu',
    ],
    timeout: 120_000, // beside a compiler it takes its time
  })
}

module.exports = { findChromium, launchChromium }
