'use strict'

const { runEmulatorCommand } = require('../../emulator/emulator')

/**
 * Runs the local relay: the same program as `hyco-relay`.
 *
 * @param {String[]} argv
 * @return {Promise<Number>} The exit code
 */
module.exports = (argv) => runEmulatorCommand(argv)
