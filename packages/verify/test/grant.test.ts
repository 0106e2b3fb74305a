/** docs/spec.md §13: what every verifier asks of a call under a spending grant. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type BatchEntry,
  batchIdOf,
  buildBatch,
  encodeGrantHeader,
  type GrantPass,
  grantIdOf,
  grantRequestId,
  modelIdOf,
  proveInclusion,
  type Receipt,
  requestAuthDigest,
  type SpendingGrant,
  signDigest,
} from '@assay/protocol'
import fc from 'fast-check'
import { generatePrivateKey, privateKeyToAddress } from 'viem/accounts'
import { grantBroken } from '../src/grantsKept.ts'
import {
  checkGrantPass,
  type GrantView,
  verifyBatchReceipts,
  verifyBundle,
  verifyReceipt,
} from '../src/index.ts'
import {
  committedView,
  deployment,
  escrow,
  FINAL,
  gateway,
  issuedAt,
  makeReceipt,
  makeView,
  manifest,
  node,
  payer,
  request,
  response,
  signReceipt,
} from './world.ts'

const modelId = modelIdOf(manifest)
const terms: SpendingGrant = {
  payer,
  gateway,
  maxTotal: 10_000n,
  maxPerCall: 200n,
  ratePerHour: 0n,
  models: [],
  nodes: [],
  expiry: issuedAt + 1000n,
  nonce: 7n,
}
const account = { funded: 10_000n, spent: 0n, revokedAt: 0n, opened: true }

async function callUnder(
  grant: SpendingGrant,
  counter = 1n,
  changes: Partial<Receipt> = {},
): Promise<BatchEntry> {
  const call = { id: grantIdOf(grant, deployment), counter }
  const requestId = grantRequestId({ chainId: deployment.chainId, escrow, payer: grant.payer, grant: call })
  return { ...(await signReceipt(makeReceipt({ requestId, seq: counter, ...changes }))), grant: call }
}

const viewOf = (grant: SpendingGrant, changes: Partial<GrantView['account']> = {}) =>
  makeView({ grant: { grant, account: { ...account, ...changes }, settledRows: null } })

async function withinGrant(entry: BatchEntry, view: ReturnType<typeof makeView>): Promise<string> {
  const { steps } = await verifyReceipt(entry, view)
  const step = steps.find(({ name }) => name === 'withinGrant')
  return `${step?.outcome} ${step?.code}`
}

test('a call that keeps to the grant passes, whatever lists name it', async () => {
  assert.equal(await withinGrant(await callUnder(terms), viewOf(terms)), 'passed ok')
  const named = { ...terms, models: [modelId], nodes: [node] }
  assert.equal(await withinGrant(await callUnder(named), viewOf(named)), 'passed ok')
  assert.equal(await withinGrant(await signReceipt(makeReceipt()), makeView()), 'skipped not_under_grant')
})

test('a call that breaks any one of the terms fails', async () => {
  const cases: [string, SpendingGrant, Partial<GrantView['account']>][] = [
    ['failed grant_exceeded', { ...terms, maxPerCall: 98n }, {}],
    ['failed grant_exceeded', { ...terms, models: [`0x${'12'.repeat(32)}`] }, {}],
    ['failed grant_exceeded', { ...terms, nodes: [gateway] }, {}],
    ['failed grant_exceeded', terms, { opened: false }],
    ['failed grant_exceeded', { ...terms, expiry: issuedAt - 120n }, {}],
    ['passed ok', { ...terms, expiry: issuedAt - 119n }, {}],
    ['failed grant_exceeded', terms, { revokedAt: issuedAt - 120n }],
    ['passed ok', terms, { revokedAt: issuedAt - 119n }],
    ['failed grant_differs', { ...terms, gateway: node }, {}],
  ]
  for (const [expected, grant, changes] of cases) {
    assert.equal(await withinGrant(await callUnder(grant), viewOf(grant, changes)), expected)
  }
})

test('a call in no place of the grant, of another grant or of none that the chain knows fails', async () => {
  const entry = await callUnder(terms)
  const id = grantIdOf(terms, deployment)
  assert.equal(
    await withinGrant({ ...entry, grant: { id, counter: 2n } }, viewOf(terms)),
    'failed grant_differs',
  )
  assert.equal(await withinGrant(entry, makeView()), 'failed grant_unknown')
  assert.equal(await withinGrant(entry, viewOf({ ...terms, nonce: 8n })), 'failed grant_differs')
})

async function batchCodes(grant: SpendingGrant, entries: BatchEntry[]): Promise<string[]> {
  const batch = buildBatch({ deployment, committer: gateway, height: 1n, receipts: entries })
  const { failures } = await verifyBatchReceipts(batch, () => viewOf(grant), 8)
  return failures.flatMap(({ steps }) => steps.map(({ code }) => code))
}

test('of one batch: one place holds one call, and no hour costs more than the grant says', async () => {
  const twice = [await callUnder(terms, 1n), await callUnder(terms, 1n, { seq: 2n })]
  assert.deepEqual(await batchCodes(terms, twice), ['grant_twice'])
  // Each costs 99, and two are too many for one hour.
  const hourly = { ...terms, ratePerHour: 197n }
  assert.deepEqual(await batchCodes(hourly, [await callUnder(hourly, 1n)]), [])
  const both = [await callUnder(hourly, 1n), await callUnder(hourly, 2n)]
  assert.deepEqual(await batchCodes(hourly, both), ['grant_exceeded'])
  const apart = async (seconds: bigint) => {
    const later = [await callUnder(hourly, 1n), await callUnder(hourly, 2n, { issuedAt: issuedAt + seconds })]
    return grantBroken(later.reverse(), hourly)?.outcome.code
  }
  assert.equal(await apart(3599n), 'grant_exceeded')
  assert.equal(await apart(3600n), undefined)
})

test('the row that a deposit paid settles the call: not before, and not by half', async () => {
  const entries = [await callUnder(terms, 1n), await callUnder(terms, 2n)]
  const batch = buildBatch({ deployment, committer: gateway, height: 1n, receipts: entries })
  const [entry] = entries as [BatchEntry]
  const { entry: _, ...proof } = proveInclusion(batch, entry.receipt.requestId)
  const inclusion = { ...batch.header, batchId: batchIdOf(batch.header), ...proof }
  const view = (settledRows: GrantView['settledRows']) =>
    makeView({
      batch: committedView(batch, FINAL),
      grant: { grant: terms, account, settledRows },
    })
  const outcome = async (rows: GrantView['settledRows']) => {
    const { steps } = await verifyBundle({ ...entry, request, response, inclusion }, view(rows))
    const step = steps.find(({ name }) => name === 'paymentSettled')
    return `${step?.outcome} ${step?.code}`
  }
  const row = { modelId, node, price: 198n, unpaid: 0n }
  assert.equal(await outcome([row]), 'passed ok')
  assert.equal(await outcome([]), 'skipped payment_pending')
  assert.equal(await outcome([{ ...row, price: 99n }]), 'skipped payment_pending')
  assert.equal(await outcome([{ ...row, node: gateway }]), 'skipped payment_pending')
  assert.equal(await outcome([{ ...row, price: 100n, unpaid: 98n }]), 'failed deposit_short')
  assert.equal(await outcome(null), 'skipped payment_unseen')
  const { trust } = await verifyBundle({ ...entry, request, response, inclusion }, view([row]))
  assert.match(trust, /gateway 0x[0-9a-f]{40}, which can spend up to 0\.00000000000001 OPG/)
})

const gatewayKey = generatePrivateKey()
const own = privateKeyToAddress(gatewayKey).toLowerCase() as typeof gateway
const granted = { ...terms, gateway: own }

async function pass(
  changes: Partial<GrantPass['auth']['auth']> = {},
  by = gatewayKey,
  counter = 3n,
): Promise<string> {
  const grant = { id: grantIdOf(granted, deployment), counter }
  const auth = {
    requestId: grantRequestId({ chainId: deployment.chainId, escrow, payer, grant }),
    requestHash: `0x${'01'.repeat(32)}` as const,
    modelId,
    maxPrice: 50n,
    committer: own,
    deadline: issuedAt,
    ...changes,
  }
  const signature = await signDigest(requestAuthDigest(auth, deployment), by)
  return encodeGrantHeader({ grant: granted, counter, auth: { auth, signature } })
}

const check = (header: string) =>
  checkGrantPass({
    header,
    deployment,
    escrow,
    committer: own,
    requestHash: `0x${'01'.repeat(32)}`,
    modelId,
    quote: 50n,
    now: issuedAt,
  })

test('a pass counts for the one request that the grant’s own gateway signed for', async () => {
  const good = await check(await pass())
  assert.ok(good.ok)
  assert.deepEqual([good.payer, good.counter, good.grantId], [payer, 3n, grantIdOf(granted, deployment)])
  for (const header of [
    await pass({}, generatePrivateKey()),
    await pass({ requestId: `0x${'00'.repeat(32)}` }),
    await pass({ requestHash: `0x${'02'.repeat(32)}` }),
    await pass({ modelId: `0x${'02'.repeat(32)}` }),
    await pass({ committer: gateway }),
    await pass({ maxPrice: 49n }),
    await pass({ deadline: issuedAt - 1n }),
  ]) {
    const refused = await check(header)
    assert.equal(refused.ok === false && refused.code, 'grant_unauthorised')
  }
})

test('whatever stands in the header, it is refused in words and never thrown about', async () => {
  const good = await pass()
  await fc.assert(
    fc.asyncProperty(fc.nat(good.length - 1), fc.string({ minLength: 1, maxLength: 3 }), async (at, text) => {
      const changed = good.slice(0, at) + text + good.slice(at + text.length)
      fc.pre(changed !== good)
      assert.equal((await check(changed)).ok, false)
    }),
    { numRuns: 150 },
  )
  assert.equal((await check('A'.repeat(100_000))).ok, false)
})
