/** A payer gets back what escrow holds for an answer that no batch will ever make final, without asking for it. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { decodePaymentRequiredHeader } from '@x402/core/http'
import type { Hex } from 'viem'
import { until } from '../../../test/until.ts'
import type { ReceiptAnswer } from './answers.ts'
import { BODY } from './fixtures.ts'
import { type Harness, startHarness } from './harness.ts'

const DAY = 86_400n
let harness: Harness
before(async () => {
  harness = await startHarness()
})
after(() => harness.close())

async function buy(payer = harness.payer('exact')): Promise<Hex> {
  const response = await harness.post(BODY, await harness.payFor(BODY, payer))
  assert.equal(response.status, 200, await response.clone().text())
  await response.arrayBuffer()
  return response.headers.get('x-assay-request-id') as Hex
}
const pageOf = async (requestId: Hex) =>
  (await (await fetch(`${harness.gateway.url}/v1/receipts/${requestId}`)).json()) as ReceiptAnswer
const stateOf = (requestId: Hex) => harness.chain.state.payments.get(requestId)?.state
const seconds = () => BigInt(Math.floor(Date.now() / 1000))

test('what escrow will not pay out goes back in its time', async () => {
  const { chain, node } = harness
  node.script = { kind: 'whole', body: new TextEncoder().encode('{}') }
  const { settle } = chain
  chain.settle = async (items) => ({
    transactionHash: `0x${'0e'.repeat(32)}`,
    skipped: new Map(items.map(({ entry }) => [entry.receipt.requestId, 'DisagreesWithRequestAuth'])),
  })
  // When it is due comes to be known once it was seen that nothing was given back before.
  const due = Promise.withResolvers<bigint>()
  const { refundDueAt } = chain
  chain.refundDueAt = () => due.promise
  const requestId = await buy()
  await until(async () => (await pageOf(requestId)).payment?.state === 'failed')
  assert.equal(stateOf(requestId), 1, 'locked')
  chain.refundDue = seconds() + 2n
  due.resolve(chain.refundDue)
  await until(() => stateOf(requestId) === 3)
  assert.ok(seconds() >= chain.refundDue)
  await until(async () => (await pageOf(requestId)).payment?.state === 'refunded')
  Object.assign(chain, { settle, refundDueAt, refundDue: 0n })
})

test('a receipt that grew too old in the outbox costs nothing: what was locked goes back, the rest is not taken', async () => {
  const { chain, node } = harness
  // The freezer cannot work for now: payments are collected, and receipts wait.
  const { lastHeight, collect } = chain
  chain.lastHeight = async () => {
    throw new Error('not now')
  }
  node.script = {
    kind: 'whole',
    body: new TextEncoder().encode('{}'),
    // Five minutes before a receipt's greatest age it is given up.
    alter: (receipt) => ({ ...receipt, issuedAt: seconds() - DAY + 290n }),
  }
  const locked = await buy()
  await until(() => stateOf(locked) === 1)
  chain.collect = async () => {
    throw new Error('the chain is busy')
  }
  // One who has enough for this call and no more.
  const payer = harness.payer('exact')
  const offer = decodePaymentRequiredHeader((await harness.post(BODY)).headers.get('PAYMENT-REQUIRED') ?? '')
  chain.balances.set(payer.address.toLowerCase(), BigInt(offer.accepts[0]?.amount ?? 0))
  const stale = await buy(payer)
  chain.lastHeight = lastHeight
  for (const requestId of [locked, stale]) {
    await until(async () => (await pageOf(requestId)).state === 'failed')
  }
  chain.collect = collect
  await until(() => stateOf(locked) === 3)
  await until(async () => (await pageOf(stale)).payment?.state === 'failed')
  assert.equal(stateOf(stale), undefined)
  // What is not taken is the payer's to spend.
  node.script = { kind: 'whole', body: new TextEncoder().encode('{}') }
  await until(async () => {
    const headers = await harness.payFor(BODY, payer)
    return (await harness.post(BODY, headers)).status === 200
  })
})
