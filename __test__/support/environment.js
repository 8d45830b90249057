'use strict'

// What of the machine's environment would change what the tests see.

// They talk over loopback. Where this machine needs a proxy to reach others, they do without it: a proxy
// of the environment would be asked for 127.0.0.1 as well.

const names = ['https_proxy', 'all_proxy'].flatMap((name) => [name, name.toUpperCase()])

if (names.some((name) => process.env[name])) {
  const given = process.env.no_proxy || process.env.NO_PROXY
  const all = [given, 'localhost', '127.0.0.1'].filter(Boolean).join(',')
  process.env.no_proxy = all
  process.env.NO_PROXY = all
}

// Programs that they start would print numbers and booleans in colours.
delete process.env.FORCE_COLOR
