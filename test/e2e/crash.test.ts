/** A slice of the crash campaign; `npm run test:crash` runs all of it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runCampaign } from './crashCampaign.ts'

test('kill -9 of the gateway under load: what was delivered is paid once, what was cut off costs nothing', async (context) => {
  const { broken, ...counts } = await runCampaign(3)
  context.diagnostic(Object.entries(counts).flat().join(' '))
  assert.deepEqual(broken, [])
})
