/** A seeded slice of the history campaign; `npm run test:history` runs all of it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { postgresMissing } from '../postgres/startPostgres.ts'
import { runHistory } from './historyCampaign.ts'

test('three gateways on one PostgreSQL under faults: no double charge, no charge without service, nothing lost', {
  skip: postgresMissing(),
}, async (context) => {
  const { broken, told, ...counts } = await runHistory(300, 1)
  context.diagnostic(Object.entries(counts).flat().join(' '))
  assert.deepEqual(broken, [], told)
})
