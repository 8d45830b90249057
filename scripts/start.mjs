// `npm start`: makes a fresh clone ready, then shows what the package does.

import { prepare } from './prepare.mjs'

prepare()
await import('../examples/main.js')
