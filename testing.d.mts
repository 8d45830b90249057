import testing = require('./testing.js')

export import After = testing.After
export import RelayKit = testing.RelayKit
export import RelayKitOptions = testing.RelayKitOptions
export import startRelayKit = testing.startRelayKit
