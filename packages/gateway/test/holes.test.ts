/** Holes seen in other gateways, each kept shut by the test that bears its name (docs/threat-model.md, appendix). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AssayError } from '@assay/protocol'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { until } from '../../../test/until.ts'
import { errorOf, type ReceiptAnswer } from './answers.ts'
import { BODY } from './fixtures.ts'
import { type Harness, startHarness } from './harness.ts'

const WHOLE = { kind: 'whole', body: new TextEncoder().encode('{}') } as const

/** Buys one answer while no transaction of the gateway reaches the chain, until `comeBack` is called. */
async function boughtWhileTheChainIsAway(harness: Harness) {
  const { chain } = harness
  const { commit, collect } = chain
  const away = () => Promise.reject(new AssayError('The chain does not answer.', { code: 'unreachable' }))
  Object.assign(chain, { commit: away, collect: away })
  harness.node.script = WHOLE
  const header = await harness.payFor(BODY)
  const response = await harness.post(BODY, header)
  assert.equal(response.status, 200)
  await response.arrayBuffer()
  const requestId = response.headers.get('x-assay-request-id') ?? ''
  return { header, requestId, comeBack: () => Object.assign(chain, { commit, collect }) }
}

async function statusOf(harness: Harness, requestId: string): Promise<ReceiptAnswer> {
  return (await (await fetch(`${harness.gateway.url}/v1/receipts/${requestId}`)).json()) as ReceiptAnswer
}

const settled = (harness: Harness, requestId: string) =>
  until(async () => {
    const status = await statusOf(harness, requestId)
    return status.payment?.state === 'settled' && status
  })

test('hole: a batch buffered in memory after its job is marked done does not exist: what was answered outlives the gateway', async () => {
  const directory = temporaryFolder('gateway')
  const first = await startHarness({ directory })
  const { requestId, comeBack } = await boughtWhileTheChainIsAway(first)
  await first.gateway.close()
  comeBack()
  const second = await startHarness({ directory, chain: first.chain, node: first.node })
  try {
    await settled(second, requestId)
    assert.deepEqual(
      second.chain.state.collected.filter((id) => id === requestId),
      [requestId],
    )
  } finally {
    await second.close()
    await first.node.close()
  }
})

test('hole: a transaction hash handed out for a transaction that was never broadcast', async () => {
  const harness = await startHarness()
  try {
    const { requestId, comeBack } = await boughtWhileTheChainIsAway(harness)
    await harness.gateway.batcher.tick()
    await harness.gateway.batcher.idle()
    const waiting = await statusOf(harness, requestId)
    assert.equal(waiting.transactionHash, null)
    comeBack()
    assert.match((await settled(harness, requestId)).transactionHash, /^0x[0-9a-f]{64}$/)
  } finally {
    await harness.close()
  }
})

test('hole: a settle time-out answered with a new 402, so that the payer pays twice', async () => {
  const harness = await startHarness()
  try {
    const { header, requestId, comeBack } = await boughtWhileTheChainIsAway(harness)
    await harness.gateway.batcher.tick()
    await harness.gateway.batcher.idle()
    const again = await harness.post(BODY, header)
    assert.equal(again.status, 409)
    assert.equal(again.headers.get('payment-required'), null)
    assert.equal(again.headers.get('x-assay-request-id'), requestId)
    assert.equal((await errorOf(again)).code, 'payment_used')
    comeBack()
    await settled(harness, requestId)
    assert.deepEqual(harness.chain.state.collected, [requestId])
  } finally {
    await harness.close()
  }
})
