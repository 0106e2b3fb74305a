/** docs/spec.md §11: what a fault proof is made of. That contracts take them is tested where the contracts are. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  AssayError,
  type Batch,
  batchEntries,
  buildBatch,
  canonicalJsonBytes,
  groupHeaders,
  parseCanonicalJson,
  proveReceiptAt,
  rowFaultProof,
  statedBatch,
  sumFaultProof,
  teeFaultProof,
  twiceFaultProof,
} from '../src/index.ts'
import { address, deployment, receiptsOf } from './support/arbitraries.ts'

const inputs = fc.record(
  {
    deployment,
    committer: address,
    height: fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }),
    receipts: receiptsOf(2, 12),
  },
  { noNullPrototype: true },
)
const batches = inputs.map((parameters) => buildBatch(parameters))
const notFound = (error: unknown) => error instanceof AssayError && error.code === 'not_found'

/** The file with one member of its first row changed. */
function withRow(batch: Batch, change: (row: Record<string, unknown>) => void): Uint8Array {
  const file = parseCanonicalJson(batch.file, batch.file.length) as { rows: Record<string, unknown>[] }
  change(file.rows[0] as Record<string, unknown>)
  return canonicalJsonBytes(file as never)
}

test('an honest file states the batch it was built from', () => {
  fc.assert(
    fc.property(batches, (batch) => {
      assert.deepEqual(statedBatch(batch.file), batch)
    }),
    { numRuns: 30 },
  )
})

test('a receipt under a foreign row is read where the file puts it, under another root', () => {
  fc.assert(
    fc.property(batches, address, (batch, stranger) => {
      const stated = statedBatch(
        withRow(batch, (row) => {
          row.payer = stranger.toLowerCase()
        }),
      )
      const [row] = stated.groups[0]?.rows ?? []
      assert.equal(row?.payer, stranger.toLowerCase())
      assert.notEqual(stated.header.root, batch.header.root)
    }),
    { numRuns: 20 },
  )
})

test('a sum proof is found for the group that lies, and for none that tells the truth', () => {
  fc.assert(
    fc.property(batches, fc.nat(), fc.constantFrom('sum', 'exposure', 'count'), (batch, at, member) => {
      const headers = groupHeaders(batch)
      assert.equal(sumFaultProof(batch, headers, batch.batchId), undefined)
      const index = at % headers.length
      const header = headers[index]
      assert.ok(header)
      const lying = headers.with(index, { ...header, [member]: header[member as 'sum'] + 1n })
      assert.match(sumFaultProof(batch, lying, batch.batchId) ?? '', /^0x/)
      // Another tree than the file's: nothing under that hash is known, so nothing can be shown.
      const unknown = headers.with(index, { ...header, top: batch.batchId, sum: header.sum + 1n })
      assert.equal(sumFaultProof(batch, unknown, batch.batchId), undefined)
    }),
    { numRuns: 30 },
  )
})

test('the receipt at a place has as many receipts to its left', () => {
  fc.assert(
    fc.property(batches, (batch) => {
      for (const [index, { receipt, signature }] of batchEntries(batch).entries()) {
        const shown = proveReceiptAt(batch, index)
        assert.deepEqual([shown.entry.receipt, shown.signature], [receipt, signature])
        const siblings = Object.values(shown.path).flat()
        const before = siblings.filter(({ left }) => left).reduce((sum, { count }) => sum + count, 0n)
        assert.equal(before, BigInt(index))
      }
      for (const index of [-1, Number(batch.header.count)]) {
        assert.throws(() => proveReceiptAt(batch, index), notFound)
      }
    }),
    { numRuns: 20 },
  )
})

test('a request that is not in the batch, or not twice, has no proof', () => {
  const [batch] = fc.sample(batches, { numRuns: 1, seed: 7 })
  assert.ok(batch)
  const requestId = batch.groups[0]?.rows[0]?.receipts[0]?.receipt.requestId
  assert.ok(requestId)
  assert.throws(() => teeFaultProof(batch, batch.batchId), notFound)
  assert.throws(() => rowFaultProof('foreignRow', batch, batch.batchId), notFound)
  assert.throws(() => twiceFaultProof(batch, batch, requestId), notFound)
})
