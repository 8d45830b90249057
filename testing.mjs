import testing from './testing.js'

export const { RelayKit, startRelayKit } = testing
