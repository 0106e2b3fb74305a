import assert from 'node:assert/strict'
import { test } from 'node:test'
import { claimRequests, openDatabase, receiptStatus } from '@assay/store'
import { checkPayment } from '@assay/verify'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { until } from '../../../test/until.ts'
import { encodeCollect } from '../src/payment/collectArgument.ts'
import { errorOf } from './answers.ts'
import { BODY, COMMITTER, CONTRACTS, MODEL, TILL } from './fixtures.ts'
import { type Harness, startHarness } from './harness.ts'

/** Leaves the database as a gateway does that dies right after it forwarded this request. */
async function claimAsIfCrashed(harness: Harness, directory: string, reachesNode: boolean) {
  const headers = await harness.payFor(BODY)
  const header = Object.values(headers)[0] ?? ''
  const payment = await checkPayment({
    header,
    chainId: 31337,
    token: CONTRACTS.OPG,
    escrow: CONTRACTS.InferenceEscrow,
    till: TILL,
    committer: COMMITTER,
    minAmount: 0n,
    now: BigInt(Math.floor(Date.now() / 1000)),
  })
  assert.ok(payment.ok)
  if (reachesNode) {
    const sent = { 'content-type': 'application/json', ...headers }
    await fetch(`${harness.node.url}/v1/chat/completions`, { method: 'POST', body: BODY, headers: sent })
  }
  const { requestHash } = harness.node.receipts.get(payment.requestId)?.receipt ?? {
    requestHash: `0x${'00'.repeat(32)}` as const,
  }
  const database = await openDatabase({ directory: `${directory}/db` })
  const request = {
    requestId: payment.requestId,
    payer: payment.payer,
    scheme: payment.schemeId,
    authorised: payment.amount,
    expiresAt: payment.expiresAt,
    collect: encodeCollect(payment),
    modelId: MODEL.modelId,
    nodeUrl: harness.node.url,
    requestHash,
    instance: 'the dead one',
  }
  assert.deepEqual(await claimRequests(database, [request]), [true])
  await database.close()
  return { requestId: payment.requestId, headers }
}

test('requests that a crash cut off end uncharged, also where the node had signed, and cannot be sent again', async () => {
  const first = await startHarness()
  const directory = temporaryFolder('gateway')
  first.node.script = { kind: 'whole', body: new TextEncoder().encode('{}') }
  const signed = await claimAsIfCrashed(first, directory, true)
  const unsigned = await claimAsIfCrashed(first, directory, false)
  const second = await startHarness({ directory, chain: first.chain, node: first.node })
  try {
    for (const { requestId } of [signed, unsigned]) {
      const status = await fetch(`${second.gateway.url}/v1/receipts/${requestId}`)
      const { state, payment, receipt } = (await status.json()) as Record<string, unknown>
      assert.deepEqual({ state, payment, receipt }, { state: 'failed', payment: null, receipt: null })
    }
    // An answer bought now goes all the way to the money, and they do not come along.
    const bought = await second.post(BODY, await second.payFor(BODY))
    const requestId = bought.headers.get('x-assay-request-id') ?? ''
    await until(async () => {
      const status = await fetch(`${second.gateway.url}/v1/receipts/${requestId}`)
      return ((await status.json()) as { payment?: { state: string } }).payment?.state === 'settled'
    })
    assert.deepEqual(second.chain.state.collected, [requestId])
    const again = await second.post(BODY, signed.headers)
    assert.equal(again.status, 409)
    assert.equal((await errorOf(again)).code, 'payment_used')
  } finally {
    await second.close()
    await first.close()
  }
})

test('an answer whose receipt cannot be stored is withheld', async () => {
  const real = await openDatabase({ directory: temporaryFolder('gateway') })
  let broken = false
  const harness = await startHarness({
    database: {
      ...real,
      query: async (sql, parameters) => {
        if (broken && sql.includes('insert into receipts')) throw new Error('disk full')
        return real.query(sql, parameters)
      },
    },
  })
  try {
    harness.node.script = { kind: 'whole', body: new TextEncoder().encode('{"secret":1}') }
    const headers = await harness.payFor(BODY)
    broken = true
    const response = await harness.post(BODY, headers)
    assert.equal(response.status, 502)
    assert.match(await response.text(), /"code":"receipt_not_durable"/)
    const status = await receiptStatus(real, response.headers.get('x-assay-request-id') ?? '')
    assert.equal(status?.requestState, 'failed')
  } finally {
    await harness.close()
  }
})
