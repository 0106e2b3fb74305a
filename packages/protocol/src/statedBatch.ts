import type { Address } from 'viem'
import { type Batch, batchIdOf, buildGroup, buildRow, type Row, topOf } from './batch.ts'
import { dataHashOf } from './batchData.ts'
import { readBatchFile } from './batchFile.ts'
import { sumTreeLevels } from './merkleSum.ts'

/**
 * The batch that a file states, word for word: rows and receipts where it puts them, whatever belongs there. Its root is
 * computed, not read. For an honest file it is what `parseBatchFile` gives; for a false one whose computed root is the
 * one on chain, its inclusion proofs show the committer's fault.
 * @throws AssayError `malformed` | `non_canonical` | `invalid_batch`
 */
export function statedBatch(file: Uint8Array): Batch {
  const { committer, height, rows: stated } = readBatchFile(file)
  const ofNode: { node: Address; rows: Row[] }[] = []
  for (const { key, entries } of stated) {
    const last = ofNode.at(-1)
    const row = buildRow(key, entries)
    if (last?.node === row.node) last.rows.push(row)
    else ofNode.push({ node: row.node, rows: [row] })
  }
  const groups = ofNode.map(({ node, rows }) => buildGroup(node, rows))
  const groupLevels = sumTreeLevels(groups.map((group) => group.summary))
  const { hash: root, sum, exposure, count } = topOf(groupLevels)
  const header = { committer, height, root, sum, exposure, count, dataHash: dataHashOf(file) }
  return { header, batchId: batchIdOf(header), file, groups, groupLevels }
}
