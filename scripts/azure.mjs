// Tries the package with a namespace of Azure: `npm run test:azure`. HYCO_CONNECTION_STRING names a hybrid
// connection (EntityPath) and a rule with the rights Listen and Send. Nothing is created or changed there.
// In the end it prints what the service answered to the open questions of docs/protocol.md, 7.2.

import { checks } from './azure/checks.mjs'
import { Place } from './azure/place.mjs'
import { questions } from './azure/questions.mjs'

/** How long one check or question may take, in milliseconds. */
const DEADLINE = 150_000

const connectionString = process.env.HYCO_CONNECTION_STRING
if (!connectionString) {
  console.log(
    'azure: SKIPPED, there is no HYCO_CONNECTION_STRING. Set it to a connection string of a hybrid ' +
      'connection: Endpoint=sb://…;SharedAccessKeyName=…;SharedAccessKey=…;EntityPath=…',
  )
} else {
  process.exitCode = await main(connectionString)
}

async function main(text) {
  const place = new Place(text)
  console.log(`azure: trying ${place.host}, hybrid connection '${place.path}'`)
  let failed = 0
  for (const [name, check] of Object.entries(checks)) {
    const outcome = await attempt(check, place)
    if (outcome.error) failed++
    console.log(`azure: ${name}: ${outcome.error ? `FAILED, ${outcome.error}` : 'ok'}`)
  }
  console.log('\nOpen questions of docs/protocol.md, 7.2:\n')
  for (const [number, { question, ask }] of Object.entries(questions)) {
    const { value, error } = await attempt(ask, place)
    console.log(`${number}. ${question}\n   ${error ? `no answer: ${error}` : value}`)
  }
  return failed === 0 ? 0 : 1
}

/** Runs something, and closes what it has opened, whatever becomes of it. */
async function attempt(run, place) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(reject, DEADLINE, new Error(`not done within ${DEADLINE / 1000} s`))
  })
  try {
    return { value: await Promise.race([run(place), late]) }
  } catch (error) {
    return { error: `${error.code ? `${error.code}: ` : ''}${error.message}` }
  } finally {
    clearTimeout(timer)
    await place.tidy()
  }
}
