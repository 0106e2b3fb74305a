import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Batch, buildBatch, groupHeaders, type SignedReceipt, VERDICT } from '@assay/protocol'
import type { BatchView, ChainView } from '@assay/verify'
import { generatePrivateKey } from 'viem/accounts'
import {
  committedView,
  deployment,
  escrow,
  gateway,
  issuedAt,
  makeReceipt,
  makeView,
  signReceipt,
} from '../../verify/test/world.ts'
import { judgeBatch } from '../src/judgeBatch.ts'

const receipts = await Promise.all([1n, 2n, 3n].map((seq) => signReceipt(makeReceipt({ seq }))))

function batchOf(list: readonly SignedReceipt[], where = deployment): Batch {
  return buildBatch({ deployment: where, committer: gateway, height: 4n, receipts: list })
}

/** A validator that has seen no other batch. */
const nothingSeen = {
  escrow,
  memory: { under: () => [], sameCall: () => Promise.resolve(undefined) },
}

function judge(
  batch: Batch,
  changes: Partial<BatchView> = {},
  view: Partial<ChainView> = {},
  file = batch.file,
) {
  return judgeBatch({
    ...nothingSeen,
    deployment,
    batch: committedView(batch, changes),
    file,
    groups: () => Promise.resolve(groupHeaders(batch)),
    read: () => Promise.resolve(makeView(view)),
  })
}

test('an honest batch is valid, and the chain is read once for what its receipts share', async () => {
  const batch = batchOf(receipts)
  let reads = 0
  const judgement = await judgeBatch({
    ...nothingSeen,
    deployment,
    batch: committedView(batch),
    file: batch.file,
    groups: () => Promise.resolve(groupHeaders(batch)),
    read: () => {
      reads++
      return Promise.resolve(makeView())
    },
  })
  assert.equal(judgement.verdict, VERDICT.valid)
  assert.equal(reads, 1)
})

test('256 receipts are judged well within a challenge window', async () => {
  const seqs = Array.from({ length: 256 }, (_, index) => BigInt(index + 1))
  const many = await Promise.all(seqs.map((seq) => signReceipt(makeReceipt({ seq }))))
  const batch = batchOf(many)
  // Of the processor, not of the clock: others may have work on this machine too.
  const before = process.cpuUsage()
  assert.equal((await judge(batch)).verdict, VERDICT.valid)
  const { user, system } = process.cpuUsage(before)
  assert.ok(user + system < 20_000_000, `${(user + system) / 1e6} s`)
})

test('one receipt signed by another key makes the batch invalid', async () => {
  const forged = await signReceipt(makeReceipt({ seq: 9n }), generatePrivateKey())
  const judgement = await judge(batchOf([...receipts, forged]))
  assert.equal(judgement.verdict, VERDICT.invalid)
  assert.match(judgement.reason, /signature_of_other_key/)
})

test('a garbage signature makes the batch invalid', async () => {
  const garbage = { receipt: makeReceipt({ seq: 9n }), signature: `0x${'ab'.repeat(65)}` as const }
  const judgement = await judge(batchOf([...receipts, garbage]))
  assert.equal(judgement.verdict, VERDICT.invalid)
  assert.match(judgement.reason, /signature_malformed/)
})

test('an unregistered key, a wrong price and a late commit are invalid', async () => {
  assert.equal((await judge(batchOf(receipts), {}, { key: null })).verdict, VERDICT.invalid)
  const dear = await signReceipt(makeReceipt({ price: 1_000_000n }))
  assert.equal((await judge(batchOf([dear]))).verdict, VERDICT.invalid)
  const late = await judge(batchOf(receipts), { committedAt: issuedAt + 90_000n })
  assert.equal(late.verdict, VERDICT.invalid)
})

test("a stranger's batch of another gateway's receipts is invalid until includeBy", async () => {
  const copied = buildBatch({
    deployment,
    committer: '0x00000000000000000000000000000000000000aa',
    height: 1n,
    receipts,
  })
  assert.equal((await judge(copied)).verdict, VERDICT.invalid)
  assert.equal((await judge(copied, { committedAt: issuedAt + 61n })).verdict, VERDICT.valid)
})

test('a header on chain that the file does not bear out is invalid', async () => {
  const batch = batchOf(receipts)
  for (const changes of [{ sum: batch.header.sum + 1n }, { count: 2n }, { height: 5n }]) {
    assert.equal((await judge(batch, changes)).verdict, VERDICT.invalid)
  }
})

test('a file of another deployment, or no batch file at all, is invalid where its hash was committed', async () => {
  const foreign = batchOf(receipts, { ...deployment, chainId: 1 })
  assert.equal((await judge(foreign)).verdict, VERDICT.invalid)
  const file = new TextEncoder().encode('{"format":"assay-batch/1"}')
  const { dataHash } = foreign.header
  assert.equal((await judge(batchOf(receipts), { dataHash }, {}, file)).verdict, undefined)
})

test('other bytes than those committed prove nothing: no verdict', async () => {
  const judgement = await judge(batchOf(receipts), {}, {}, batchOf(receipts.slice(1)).file)
  assert.equal(judgement.verdict, undefined)
})

test('a chain that does not answer is no verdict either', async () => {
  const batch = batchOf(receipts)
  await assert.rejects(
    judgeBatch({
      ...nothingSeen,
      deployment,
      batch: committedView(batch),
      file: batch.file,
      groups: () => Promise.resolve(groupHeaders(batch)),
      read: () => Promise.reject(new Error('unreachable')),
    }),
  )
})
