/** docs/spec.md §5, §6 and the batch file of §8. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { encodeAbiParameters, type Hex, keccak256, toHex } from 'viem'
import {
  AssayError,
  type Batch,
  type BatchEntry,
  batchEntries,
  batchIdOf,
  buildBatch,
  canonicalJsonBytes,
  type Deployment,
  dataHashOf,
  foldInclusion,
  groupHeaders,
  groupNode,
  leafNode,
  MAX_BATCH_FILE_BYTES,
  MAX_BATCH_RECEIPTS,
  NO_GRANT,
  parseBatchFile,
  proveInclusion,
  receiptExposure,
  receiptLeaf,
  rowKeyOf,
  rowNode,
  type SignedReceipt,
  tag,
} from '../src/index.ts'
import { address, deployment, hexOf, receiptsOf } from './support/arbitraries.ts'

const height = fc.bigInt({ min: 1n, max: 2n ** 64n - 1n })
const inputs = fc.record(
  { deployment, committer: address, height, receipts: receiptsOf(1, 14) },
  { noNullPrototype: true },
)
const batch: fc.Arbitrary<{ batch: Batch; deployment: Deployment }> = inputs.map((parameters) => ({
  batch: buildBatch(parameters),
  deployment: parameters.deployment,
}))
const invalid = (error: unknown) => error instanceof AssayError && error.code === 'invalid_batch'
const [sample] = fc.sample(inputs, { numRuns: 1, seed: 42 })
assert.ok(sample)

test('a file is read back as the batch it was built from, byte for byte', () => {
  fc.assert(
    fc.property(batch, ({ batch, deployment }) => {
      const read = parseBatchFile(batch.file, deployment)
      assert.deepEqual(Buffer.from(read.file), Buffer.from(batch.file))
      assert.deepEqual(read.header, batch.header)
      assert.equal(read.batchId, batch.batchId)
      assert.deepEqual(read.groups, batch.groups)
      assert.equal(batch.header.dataHash, dataHashOf(batch.file))
    }),
    { numRuns: 25 },
  )
})

test('the order in which receipts arrive does not matter', () => {
  const shuffled = inputs.chain((given) =>
    fc
      .shuffledSubarray(given.receipts, { minLength: given.receipts.length })
      .map((receipts) => [given, { ...given, receipts }] as const),
  )
  fc.assert(
    fc.property(shuffled, ([one, other]) => {
      assert.deepEqual(buildBatch(one).file, buildBatch(other).file)
    }),
    { numRuns: 20 },
  )
})

test('every receipt is included: its proof leads to root, sum and count', () => {
  fc.assert(
    fc.property(batch, ({ batch: { header, ...rest } }) => {
      const all = batchEntries(rest)
      assert.equal(BigInt(all.length), header.count)
      for (const { receipt } of all) {
        const proof = proveInclusion({ header, ...rest }, receipt.requestId)
        const { entry } = proof
        const { root: hash, sum, exposure, count } = header
        assert.deepEqual(foldInclusion(entry, proof), { hash, sum, exposure, count })
        const others: BatchEntry[] = [
          { ...entry, receipt: { ...receipt, price: receipt.price ^ 1n } },
          { ...entry, receipt: { ...receipt, valueAtRisk: receipt.valueAtRisk ^ 1n } },
          { ...entry, receipt: { ...receipt, priceVersion: receipt.priceVersion ^ 1n } },
          { ...entry, grant: { id: toHex(1, { size: 32 }), counter: entry.grant?.counter ?? 0n } },
          {
            ...entry,
            grant: { id: entry.grant?.id ?? NO_GRANT, counter: (entry.grant?.counter ?? 0n) ^ 1n },
          },
        ]
        for (const other of others) assert.notEqual(foldInclusion(other, proof).hash, hash)
      }
    }),
    { numRuns: 15 },
  )
})

const rowsOf = (batch: Batch) => batch.groups.flatMap((group) => group.rows)

test('rows ascend by node, payer, grant, model, price version as bytes; leaves by request id', () => {
  fc.assert(
    fc.property(batch, ({ batch }) => {
      const rows = rowsOf(batch)
      const keys = rows.map((row) =>
        Buffer.from(
          [row.node, row.payer, row.grantId, row.modelId, toHex(row.priceVersion, { size: 8 })]
            .map((part) => part.slice(2))
            .join(''),
          'hex',
        ),
      )
      for (let at = 1; at < keys.length; at++) {
        assert.equal(Buffer.compare(keys[at - 1] as Buffer, keys[at] as Buffer), -1)
      }
      for (const row of rows) {
        const ids = row.receipts.map((signed) => signed.receipt.requestId)
        assert.deepEqual(ids, [...ids].sort())
        const total = (of: (entry: BatchEntry) => bigint) =>
          row.receipts.reduce((sum, entry) => sum + of(entry), 0n)
        assert.equal(
          row.summary.sum,
          total(({ receipt }) => receipt.price),
        )
        assert.equal(
          row.summary.exposure,
          total(({ receipt }) => receiptExposure(receipt)),
        )
        assert.ok(row.receipts.every((entry) => rowNode(rowKeyOf(entry), row.top).hash === row.summary.hash))
      }
    }),
    { numRuns: 25 },
  )
})

test('a group holds all rows of its node, and the chain is told of it whole', () => {
  fc.assert(
    fc.property(batch, ({ batch }) => {
      const headers = groupHeaders(batch)
      const nodes = headers.map((header) => header.node)
      assert.deepEqual(nodes, [...new Set(nodes)].sort())
      for (const [at, { node, top, ...totals }] of headers.entries()) {
        const group = batch.groups[at]
        assert.ok(group?.rows.every((row) => row.node.toLowerCase() === node))
        assert.equal(groupNode(node, { hash: top, ...totals }).hash, group?.summary.hash)
      }
      for (const member of ['sum', 'exposure', 'count'] as const) {
        assert.equal(
          headers.reduce((sum, header) => sum + header[member], 0n),
          batch.header[member],
        )
      }
    }),
    { numRuns: 15 },
  )
})

test('receipts of more than 32 nodes are refused', () => {
  const [signed] = sample.receipts
  assert.ok(signed)
  const of = (nodes: number) =>
    Array.from({ length: nodes }, (_, at) => ({
      ...signed,
      receipt: { ...signed.receipt, node: toHex(at + 1, { size: 20 }), price: 1n, valueAtRisk: 0n },
    }))
  assert.equal(buildBatch({ ...sample, receipts: of(32) }).groups.length, 32)
  assert.throws(() => buildBatch({ ...sample, receipts: of(33) }), invalid)
})

test('a price version beyond 2^32 sorts as a number, not as text', () => {
  const [signed] = sample.receipts
  assert.ok(signed)
  const versions = [2n ** 40n, 9n, 10n, 2n ** 64n - 1n]
  const receipts = versions.map((priceVersion, at) => ({
    ...signed,
    receipt: { ...signed.receipt, requestId: toHex(at + 1, { size: 32 }), priceVersion, price: 1n },
  }))
  assert.deepEqual(
    rowsOf(buildBatch({ ...sample, receipts })).map((row) => row.priceVersion),
    [9n, 10n, 2n ** 40n, 2n ** 64n - 1n],
  )
})

test('two receipts of one request id stand side by side, in the order of their leaves', () => {
  const [signed] = sample.receipts
  assert.ok(signed)
  const twins = [1n, 2n, 3n].map((seq) => ({ ...signed, receipt: { ...signed.receipt, seq, price: seq } }))
  const twice = buildBatch({ ...sample, receipts: twins })
  const { file } = twice
  const leaves = (rowsOf(twice)[0]?.receipts ?? []).map(receiptLeaf)
  assert.equal(leaves.length, 3)
  assert.deepEqual(leaves, [...leaves].sort())
  assert.equal(parseBatchFile(file, sample.deployment).header.count, 3n)
})

test('one receipt of two signatures makes two leaves', () => {
  const [signed] = sample.receipts
  assert.ok(signed)
  const other: SignedReceipt = { ...signed, signature: `0x${'11'.repeat(65)}` }
  assert.notEqual(leafNode(signed).hash, leafNode(other).hash)
})

test('the smallest and the largest batch; none, one too many, and a receipt twice are refused', () => {
  const [signed] = sample.receipts
  assert.ok(signed)
  const many = (count: number) =>
    Array.from({ length: count }, (_, at) => ({
      ...signed,
      receipt: { ...signed.receipt, requestId: toHex(at + 1, { size: 32 }), price: BigInt(at) },
    }))
  assert.equal(buildBatch({ ...sample, receipts: many(1) }).header.count, 1n)
  const largest = buildBatch({ ...sample, receipts: many(MAX_BATCH_RECEIPTS) })
  assert.equal(largest.header.count, 4096n)
  assert.equal(largest.header.sum, (4095n * 4096n) / 2n)
  assert.ok(largest.file.length < MAX_BATCH_FILE_BYTES)
  const proof = proveInclusion(largest, toHex(4096, { size: 32 }))
  assert.equal(foldInclusion(proof.entry, proof).hash, largest.header.root)
  assert.throws(() => buildBatch({ ...sample, receipts: [] }), invalid)
  assert.throws(() => buildBatch({ ...sample, receipts: many(MAX_BATCH_RECEIPTS + 1) }), invalid)
  assert.throws(() => buildBatch({ ...sample, receipts: [signed, signed] }), invalid)
  assert.throws(
    () => proveInclusion(largest, toHex(5000, { size: 32 })),
    (error) => error instanceof AssayError && error.code === 'not_found',
  )
})

test('a sum beyond uint128 is refused', () => {
  const [signed] = sample.receipts
  assert.ok(signed)
  const rich = [1, 2].map((id) => ({
    ...signed,
    receipt: { ...signed.receipt, requestId: toHex(id, { size: 32 }), price: 2n ** 128n - 1n },
  }))
  assert.throws(
    () => buildBatch({ ...sample, receipts: rich }),
    (error) => error instanceof AssayError && error.code === 'out_of_range',
  )
})

/** `height` and `committer` are the file's own claims: they change the batch id and data hash, nothing else does. */
function refusesOrDiffers(file: Uint8Array, original: Batch, deployment: Deployment): void {
  let read: Batch
  try {
    read = parseBatchFile(file, deployment)
  } catch (error) {
    assert.ok(error instanceof AssayError, `${error}`)
    return
  }
  assert.notEqual(read.batchId, original.batchId)
  assert.notEqual(read.header.dataHash, original.header.dataHash)
  const { committer, height } = read.header
  assert.ok(committer !== original.header.committer || height !== original.header.height)
  assert.deepEqual(read.groups, original.groups)
}

test('a file with any one byte changed is refused, or is openly a batch of another height or committer', () => {
  const small = buildBatch({ ...sample, receipts: sample.receipts.slice(0, 3) })
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 1, max: 255 }), (place, difference) => {
      const file = Uint8Array.from(small.file)
      const at = place % file.length
      file[at] = (file[at] as number) ^ difference
      refusesOrDiffers(file, small, sample.deployment)
    }),
    { numRuns: 400 },
  )
})

test('every single character of a file counts: each replaced by another of its kind', () => {
  const small = buildBatch({ ...sample, receipts: sample.receipts.slice(0, 1) })
  for (let at = 0; at < small.file.length; at++) {
    const file = Uint8Array.from(small.file)
    file[at] = file[at] === 0x31 ? 0x32 : 0x31
    refusesOrDiffers(file, small, sample.deployment)
  }
})

test('a file cut short, grown, or of another deployment is refused', () => {
  fc.assert(
    fc.property(batch, fc.nat(), hexOf(32), ({ batch, deployment }, cut, salt) => {
      assert.throws(
        () => parseBatchFile(batch.file.subarray(0, cut % batch.file.length), deployment),
        AssayError,
      )
      assert.throws(
        () => parseBatchFile(Buffer.concat([batch.file, Buffer.of(0x20)]), deployment),
        AssayError,
      )
      for (const other of [
        { ...deployment, chainId: deployment.chainId + 1 },
        {
          ...deployment,
          settlement: deployment.settlement.replace(/.$/, (last) => (last === '0' ? '1' : '0')) as Hex,
        },
        { ...deployment, deploymentId: salt },
      ]) {
        assert.throws(() => parseBatchFile(batch.file, other), invalid)
      }
    }),
    { numRuns: 15 },
  )
})

test('a canonical file that lies about order, sum, count, root or row members is refused', () => {
  const [signed] = sample.receipts
  assert.ok(signed)
  const twin = { ...signed, receipt: { ...signed.receipt, requestId: toHex(1, { size: 32 }), price: 1n } }
  const later = { ...twin, receipt: { ...twin.receipt, priceVersion: 3n } }
  const { file } = buildBatch({ ...sample, receipts: [...sample.receipts, twin, later] })
  type File = {
    count: string
    sum: string
    root: string
    exposure: string
    rows: { payer: string; grantId: string; receipts: { counter: string }[] }[]
    format: string
  }
  const change = (edit: (value: File) => void) => {
    const value = JSON.parse(new TextDecoder().decode(file)) as File
    edit(value)
    return canonicalJsonBytes(value as never)
  }
  const lies: Record<string, (value: File) => void> = {
    count: (value) => {
      value.count = String(BigInt(value.count) + 1n)
    },
    exposure: (value) => {
      value.exposure = String(BigInt(value.exposure) + 1n)
    },
    counter: (value) => {
      const [entry] = value.rows[0]?.receipts ?? []
      if (entry) entry.counter = String(BigInt(entry.counter) + 1n)
    },
    'row grant': (value) => {
      for (const row of value.rows) row.grantId = `0x${'56'.repeat(32)}`
    },
    sum: (value) => {
      value.sum = String(BigInt(value.sum) + 1n)
    },
    root: (value) => {
      value.root = `0x${'12'.repeat(32)}`
    },
    format: (value) => {
      value.format = 'assay-batch/2'
    },
    'row order': (value) => value.rows.reverse(),
    'row payer': (value) => {
      for (const row of value.rows) row.payer = `0x${'34'.repeat(20)}`
    },
    'a receipt left out': (value) => {
      value.rows[0]?.receipts.pop()
    },
    'a receipt doubled': (value) => {
      value.rows[0]?.receipts.push(...value.rows[0].receipts.slice(0, 1))
    },
    'an empty row': (value) => {
      value.rows.push({ ...(value.rows[0] as File['rows'][0]), receipts: [] })
    },
    'a row split in two': (value) => {
      const row = value.rows.find((candidate) => candidate.receipts.length > 1)
      assert.ok(row)
      value.rows.splice(value.rows.indexOf(row) + 1, 0, { ...row, receipts: row.receipts.splice(1) })
    },
  }
  for (const [name, edit] of Object.entries(lies)) {
    assert.throws(() => parseBatchFile(change(edit), sample.deployment), AssayError, name)
  }
})

test('the batch id commits to committer, height, root and data hash', () => {
  fc.assert(
    fc.property(batch, ({ batch: { header, batchId } }) => {
      const words = ['bytes32', 'address', 'uint64', 'bytes32', 'bytes32'].map((type) => ({ type }))
      const values = [tag('assay/batch/v1'), header.committer, header.height, header.root, header.dataHash]
      assert.equal(batchId, keccak256(encodeAbiParameters(words, values)))
      assert.notEqual(batchIdOf({ ...header, height: header.height ^ 1n }), batchId)
    }),
    { numRuns: 10 },
  )
})
