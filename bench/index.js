'use strict'

// All questions, or those named.

require('./harness/main').run()
