import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../../../test/until.ts'
import { errorOf, type ReceiptAnswer } from './answers.ts'
import { BODY } from './fixtures.ts'
import { startHarness } from './harness.ts'

test('payments that the chain has made public, shown again by anybody, use up nothing of what their payer may call', async () => {
  const harness = await startHarness({ limits: { requestsPerMinute: 2 } })
  try {
    harness.node.script = { kind: 'whole', body: new TextEncoder().encode('{}') }
    const payer = harness.payer()
    const spent = await harness.payFor(BODY, payer)
    const answer = await harness.post(BODY, spent)
    assert.equal(answer.status, 200)
    const page = `${harness.gateway.url}/v1/receipts/${answer.headers.get('x-assay-request-id')}`
    await until(async () => {
      const { payment } = (await (await fetch(page)).json()) as ReceiptAnswer
      return payment?.state === 'settled'
    })
    // Whoever reads the chain can send it as often as he likes.
    for (let call = 0; call < 4; call++) {
      const refused = await harness.post(BODY, spent)
      assert.deepEqual([refused.status, (await errorOf(refused)).code], [409, 'payment_used'])
    }
    assert.equal((await harness.post(BODY, await harness.payFor(BODY, payer))).status, 200)
    const beyond = await harness.post(BODY, await harness.payFor(BODY, payer))
    assert.deepEqual([beyond.status, (await errorOf(beyond)).code], [429, 'allowance_spent'])
  } finally {
    await harness.close()
  }
})
