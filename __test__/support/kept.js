'use strict'

const { accessSync, constants } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')

/**
 * Where something that was fetched is kept for the next run.
 *
 * @param {String} name
 * @return {String} A folder in the system's temporary one, which may not be there yet; one of this user
 *     alone where another one has it
 */
function kept(name) {
  const folder = join(tmpdir(), `hyco-rs-test-${name}`)
  try {
    accessSync(folder, constants.R_OK | constants.X_OK)
  } catch (error) {
    if (error.code === 'EACCES') return `${folder}-${process.getuid()}`
  }
  return folder
}

module.exports = kept
