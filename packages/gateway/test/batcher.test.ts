import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { foldInclusion, inclusionFromJson, parseBatchFile, receiptFromJson } from '@assay/protocol'
import { openDatabase } from '@assay/store'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { until } from '../../../test/until.ts'
import type { ReceiptAnswer } from './answers.ts'
import { BODY, DEPLOYMENT } from './fixtures.ts'
import { type Harness, startHarness } from './harness.ts'
import { type StubNode, startStubNode } from './stubNode.ts'

let harness: Harness
before(async () => {
  harness = await startHarness()
})
after(() => harness.close())
beforeEach(() => {
  harness.node.script = { kind: 'whole', body: new TextEncoder().encode('{}') }
  harness.chain.verdict = 'valid'
})

async function buy(scheme: 'exact' | 'upto' = 'upto', on = harness): Promise<string> {
  const response = await on.post(BODY, await on.payFor(BODY, on.payer(scheme)))
  assert.equal(response.status, 200, await response.clone().text())
  await response.arrayBuffer()
  return response.headers.get('x-assay-request-id') as string
}

async function statusOf(requestId: string, on = harness): Promise<ReceiptAnswer> {
  return (await (await fetch(`${on.gateway.url}/v1/receipts/${requestId}`)).json()) as ReceiptAnswer
}

async function settled(requestId: string, on = harness) {
  return until(async () => {
    const status = await statusOf(requestId, on)
    return (
      status.state === 'final' && (status.payment === null || status.payment.state === 'settled') && status
    )
  })
}

for (const scheme of ['exact', 'upto'] as const) {
  test(`an answer paid by ${scheme} becomes final and paid, with a proof that stands on its own`, async () => {
    const status = await settled(await buy(scheme))
    const inclusion = inclusionFromJson(status.inclusion)
    const signed = { receipt: receiptFromJson(status.receipt), signature: status.signature }
    const folded = foldInclusion(signed, inclusion)
    assert.deepEqual(
      [folded.hash, folded.sum, folded.count],
      [inclusion.root, inclusion.sum, inclusion.count],
    )
    assert.match(status.transactionHash, /^0x[0-9a-f]{64}$/)
    const file = await fetch(`${harness.gateway.url}/v1/batches/${status.batchId}/data`)
    const batch = parseBatchFile(new Uint8Array(await file.arrayBuffer()), DEPLOYMENT)
    assert.equal(batch.batchId, status.batchId)
    const page = (await (await fetch(`${harness.gateway.url}/v1/batches/${status.batchId}`)).json()) as {
      state: string
    }
    assert.equal(page.state, 'final')
  })
}

test('nothing is collected for an answer that cost nothing', async () => {
  harness.node.script = { kind: 'whole', body: new TextEncoder().encode('{}'), price: 0n }
  const requestId = await buy()
  const status = await settled(requestId)
  assert.equal(status.payment, null)
  assert.ok(!harness.chain.state.collected.includes(requestId))
})

test('a payment that cannot be collected fails alone: its receipt is batched, the next payment is taken', async () => {
  const header = await harness.payFor(BODY)
  const payment = JSON.parse(Buffer.from(Object.values(header)[0] ?? '', 'base64').toString())
  // Expired by the time of the refusal, so that it is final at once.
  assert.ok(payment.payload.permit2Authorization)
  const response = await harness.post(BODY, header)
  await response.arrayBuffer()
  const requestId = response.headers.get('x-assay-request-id') as `0x${string}`
  harness.chain.drained.add(requestId)
  // Collected before the refusal was arranged: take it back and look again.
  harness.chain.state.payments.delete(requestId)
  const other = await settled(await buy())
  assert.equal(other.payment?.state, 'settled')
  const refused = await until(async () => {
    const status = await statusOf(requestId)
    return status.state === 'final' && status.payment?.failure === 'ERC20InsufficientBalance' && status
  })
  assert.equal(refused.payment?.state, 'none')
})

test('a transaction that the chain refuses whole, for want of gas, is sent again for as long as its payments are good', async (t) => {
  const database = await openDatabase({ directory: temporaryFolder('gateway') })
  const world = await startHarness({ database })
  t.after(() => world.close())
  const { chain } = world
  const { collect } = chain
  let refused = 0
  chain.collect = async () => {
    refused += 1
    throw new Error('insufficient funds for gas * price + value')
  }
  world.node.script = { kind: 'whole', body: new TextEncoder().encode('{}') }
  const requestId = await buy('upto', world)
  const haste = () => database.query('update payments set next_attempt_at = now()')
  // More often than a contract may refuse a payment before it counts as lost.
  await until(async () => {
    await haste()
    return refused > 8
  })
  const { payment } = await statusOf(requestId, world)
  assert.deepEqual([payment?.state, payment?.failure], ['none', 'insufficient funds for gas * price + value'])
  chain.collect = collect
  await haste()
  // It was refused on the way, and not in the end.
  assert.equal((await settled(requestId, world)).payment?.failure, null)
})

test('a chain that is away delays, and loses nothing', async () => {
  harness.node.script = { kind: 'whole', body: new TextEncoder().encode('{}') }
  const payer = harness.payer()
  const header = await harness.payFor(BODY, payer)
  const pending = harness.post(BODY, header)
  const response = await pending
  harness.chain.down = true
  await response.arrayBuffer()
  const requestId = response.headers.get('x-assay-request-id') as string
  await harness.gateway.batcher.tick()
  await harness.gateway.batcher.idle()
  harness.chain.down = false
  await settled(requestId)
})

test('a validator that finalises first is no failure of the gateway, a refusal without that is one', async () => {
  const { finalise } = harness.chain
  const errors = () => harness.logs.filter((line) => line.startsWith('chain_error') && /finalise/.test(line))
  harness.chain.finalise = async (batchId) => {
    await finalise(batchId)
    return finalise(batchId)
  }
  await settled(await buy())
  assert.deepEqual(errors(), [])
  harness.chain.finalise = async () => {
    throw new Error('refused')
  }
  const requestId = await buy()
  await until(async () => errors().length > 0)
  harness.chain.finalise = finalise
  await settled(requestId)
})

test('receipts of a void batch and of an expired one are batched again', async () => {
  for (const verdict of ['invalid', 'silent'] as const) {
    harness.chain.verdict = verdict
    const requestId = await buy()
    const first = await until(async () => (await statusOf(requestId)).batchId ?? undefined)
    await until(async () => {
      const page = (await (await fetch(`${harness.gateway.url}/v1/batches/${first}`)).json()) as {
        state: string
      }
      return page.state === (verdict === 'invalid' ? 'void' : 'expired')
    })
    harness.chain.verdict = 'valid'
    assert.notEqual((await settled(requestId)).batchId, first)
  }
})

test('no batch holds a receipt before it was issued, and one that is dated too far ahead never comes into one', async (t) => {
  const world = await startHarness()
  t.after(() => world.close())
  const { chain, node } = world
  // By the chain's clock, which is what a commit is judged by.
  const { head } = chain
  let ahead = 0n
  chain.head = async () => {
    const { number, timestamp } = await head()
    return { number, timestamp: timestamp + ahead }
  }
  const issuedIn = (seconds: bigint) => {
    const body = new TextEncoder().encode('{}')
    node.script = {
      ...{ kind: 'whole', body },
      alter: (receipt) => ({ ...receipt, issuedAt: receipt.issuedAt + seconds }),
    }
    return buy('upto', world)
  }
  const soon = await issuedIn(120n)
  const far = await issuedIn(3n * 86_400n)
  // Neither keeps the others waiting.
  await settled(await issuedIn(0n), world)
  assert.equal((await statusOf(far, world)).state, 'failed')
  assert.equal((await statusOf(soon, world)).batchId, null)
  ahead = 120n
  await settled(soon, world)
})

test('what validators refused in a void batch does not come back, and the rest of it does', async (t) => {
  const world = await startHarness({ batch: { maxReceipts: 2, maxDelayMs: 3_600_000 } })
  t.after(() => world.close())
  const { chain } = world
  world.node.script = { kind: 'whole', body: new TextEncoder().encode('{}') }
  chain.verdict = 'invalid'
  // The second fills the batch: by then it is known which of them is to be refused.
  const bad = (await buy('exact', world)) as `0x${string}`
  chain.refused.add(bad)
  const good = await buy('upto', world)
  const failed = await until(async () => {
    const status = await statusOf(bad, world)
    return status.state === 'failed' && status
  })
  assert.equal(failed.batchId, null)
  await until(() => world.logs.some((line) => line.startsWith('receipt_refused') && line.includes(bad)))
  // One alone fills no batch here, and another comes.
  chain.verdict = 'valid'
  const later = await buy('upto', world)
  const status = await settled(good, world)
  assert.equal(status.batchId, (await settled(later, world)).batchId)
  assert.equal(status.batch.count, '2')
  // What escrow holds for the refused one goes back.
  await until(async () => (await statusOf(bad, world)).payment?.state === 'refunded')
})

test('after the chain lost its last blocks everything is repeated byte for byte', async () => {
  const before = harness.chain.snapshot()
  const [first, second] = [await settled(await buy('exact')), await settled(await buy('upto'))]
  harness.chain.rollBackTo(before)
  for (const was of [first, second]) {
    await until(async () => {
      const payment = harness.chain.state.payments.get(was.requestId)
      return (
        harness.chain.state.batches.get(was.batchId as `0x${string}`)?.state === 3 && payment?.state === 2
      )
    })
    const again = await settled(was.requestId)
    assert.deepEqual(again.inclusion, was.inclusion)
  }
  const collected = harness.chain.state.collected.filter((id) => id === first.requestId)
  assert.equal(collected.length, 1)
})

test('a gateway that lost its database starts above the height that the chain knows', async () => {
  await settled(await buy())
  const height = harness.chain.state.lastHeight
  const fresh = await startHarness({ chain: harness.chain, node: harness.node })
  try {
    const status = await settled(await buy('upto', fresh), fresh)
    assert.ok(BigInt(status.batch.height) > height)
  } finally {
    await fresh.close()
  }
})

test('batches with a payment that cannot be collected yet keep no later one from being paid out', async (t) => {
  const world = await startHarness({ batch: { maxReceipts: 1 } })
  t.after(() => world.close())
  const { chain } = world
  world.node.script = { kind: 'whole', body: new TextEncoder().encode('{}') }
  const { collect } = chain
  const held = new Set<string>()
  let holding = true
  chain.collect = async (items, onBroadcast) => {
    if (holding) for (const { requestId } of items) held.add(requestId)
    if (items.some(({ requestId }) => held.has(requestId))) throw new Error('not now')
    return collect(items, onBroadcast)
  }
  for (let calls = 0; calls < 3; calls++) {
    const requestId = await buy('upto', world)
    await until(async () => {
      const { state, payment } = await statusOf(requestId, world)
      return state === 'final' && payment?.failure === 'not now'
    })
  }
  holding = false
  await settled(await buy('upto', world), world)
  for (const requestId of held) assert.notEqual((await statusOf(requestId, world)).payment?.state, 'settled')
})

test('receipts of a node whose bond covers nothing do not keep those of another waiting', async (t) => {
  const bonded = await startStubNode(`0x${'0e'.repeat(20)}`)
  const world = await startHarness({ others: [bonded], batch: { maxReceipts: 2 } })
  t.after(async () => {
    await world.close()
    await bonded.close()
  })
  const { chain, node } = world
  const coverage = chain.coverage
  chain.coverage = async (operators) => (await coverage(operators)).set(node.world.operator, 0n)
  bonded.script = { kind: 'whole', body: new TextEncoder().encode('{}') }
  node.script = bonded.script
  const buyOf = async (from: StubNode) => {
    for (const each of [node, bonded]) each.ill = each !== from
    await until(async () => {
      const health = (await (await fetch(`${world.gateway.url}/health`)).json()) as {
        nodes: { url: string; healthy: boolean }[]
      }
      return health.nodes.every(({ url, healthy }) => healthy === (url === from.url))
    })
    return buy('upto', world)
  }
  // As many as one batch holds, and before the other's.
  const uncovered = [await buyOf(node), await buyOf(node)]
  await settled(await buyOf(bonded), world)
  for (const requestId of uncovered) assert.equal((await statusOf(requestId, world)).batchId ?? null, null)
})
