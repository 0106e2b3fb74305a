/** A seeded slice of the history campaign; `npm run test:history` runs all of it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { postgresMissing } from '../postgres/startPostgres.ts'
import { linesOf, runHistory } from './historyCampaign.ts'

/** Every kind of fault but the longest, in quick succession. */
const PACE = { restMs: 700, longestMs: 1500, without: ['gateway silent for over 15 s'] } as const

test('three gateways on one PostgreSQL under faults: no double charge, no charge without service, nothing lost', {
  skip: postgresMissing(),
}, async (context) => {
  // The time is over long after every fault has happened even on a machine that has others to serve.
  const result = await runHistory({ calls: 300, minutes: 10, seed: 1, pace: PACE })
  for (const line of linesOf(result)) context.diagnostic(line)
  assert.deepEqual(result.broken, [], result.told)
  assert.ok(result.outcomes.get('verified, of another gateway'), 'no client has changed its gateway')
  assert.ok(result.debits > 0, 'no deposit has paid')
  for (const [fault, count] of result.faults) assert.ok(count > 0, `${fault} never happened`)
})
