/** What a validator remembers of other batches: enough to prove a contradiction later, and nothing that is the same again. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type BatchEntry, buildBatch, type Receipt } from '@assay/protocol'
import { type Hex, keccak256 } from 'viem'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import {
  committedView,
  deployment,
  gateway,
  issuedAt,
  makeReceipt,
  signReceipt,
} from '../../verify/test/world.ts'
import { openBatchMemory } from '../src/faults/batchMemory.ts'

const open = (dir: string) => openBatchMemory(dir, deployment.deploymentId)
const entry = (changes: Partial<Receipt>) => signReceipt(makeReceipt(changes))

async function committed(height: bigint, receipts: BatchEntry[], committedAt = issuedAt) {
  const batch = buildBatch({ deployment, committer: gateway, height, receipts })
  return { batch, view: committedView(batch, { committedAt }) }
}

test('another receipt under the same number is found in any other batch, the same one again is not', async () => {
  const dir = temporaryFolder('memory')
  const first = await entry({ seq: 7n })
  const second = await entry({ seq: 7n, responseHash: keccak256('0x01') })
  const one = await committed(1n, [first, await entry({ seq: 8n })])
  const two = await committed(2n, [first])
  const three = await committed(3n, [second])
  const memory = open(dir)
  for (const { view, batch } of [one, two, three]) memory.remember(view, batch.file)
  memory.remember(one.view, one.batch.file)
  const under = (from: typeof memory, batchId: Hex, receipt: Receipt) =>
    from.under(batchId, receipt).map((placed) => [placed.batch.batchId, placed.entry])
  const [inOne, inTwo, inThree] = [one, two, three].map(({ batch }) => batch.batchId) as [Hex, Hex, Hex]
  assert.deepEqual(under(memory, inTwo, first.receipt), [[inThree, second]])
  assert.deepEqual(under(memory, inThree, first.receipt), [])
  const both = [
    [inOne, first],
    [inTwo, first],
  ]
  assert.deepEqual(under(memory, inThree, second.receipt), both)
  memory.close()
  const again = open(dir)
  assert.deepEqual(under(again, inTwo, first.receipt), [[inThree, second]])
  assert.deepEqual(again.fileOf(two.batch.batchId), two.batch.file)
  assert.deepEqual([again.isSearched(two.batch.batchId), again.fileOf(keccak256('0x02'))], [false, undefined])
  again.setSearched(two.batch.batchId)
  assert.equal(again.isSearched(two.batch.batchId), true)
  again.close()
})

test('a call under a grant is found by its request in the batches of its committer, until it is forgotten', async () => {
  const memory = open(temporaryFolder('memory'))
  const call = { ...(await entry({ seq: 1n })), grant: { id: keccak256('0x03'), counter: 4n } }
  const { requestId } = call.receipt
  const old = await committed(1n, [call], issuedAt - 100n)
  const young = await committed(2n, [call])
  const plain = await committed(3n, [await entry({ seq: 1n })])
  for (const { view, batch } of [old, young, plain]) memory.remember(view, batch.file)
  const { batchId } = plain.batch
  const ids = (found: { batchId: Hex }[]) => found.map((other) => other.batchId).toSorted()
  const both = [old.batch.batchId, young.batch.batchId].toSorted()
  assert.deepEqual(ids(memory.withCall({ batchId, committer: gateway }, requestId)), both)
  assert.deepEqual(memory.withCall({ batchId, committer: call.receipt.payer }, requestId), [])
  const others = memory.withCall({ batchId: old.batch.batchId, committer: gateway }, requestId)
  assert.deepEqual(ids(others), [young.batch.batchId])
  const known = memory.batchOf(young.batch.batchId)
  assert.deepEqual([known?.batchId, known?.header], [young.batch.batchId, young.batch.header])
  memory.forget(issuedAt)
  const left = memory.withCall({ batchId, committer: gateway }, requestId)
  assert.deepEqual(ids(left), [young.batch.batchId])
  assert.equal(memory.fileOf(old.batch.batchId), undefined)
  memory.close()
})
