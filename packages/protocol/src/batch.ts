import { type Address, encodeAbiParameters, type Hex, keccak256, parseAbiParameters } from 'viem'
import { canonicalJsonBytes, type Json, parseCanonicalJson } from './canonicalJson.ts'
import type { Deployment } from './domain.ts'
import { AssayError } from './errors.ts'
import { foldSiblings, type Sibling, type SumNode, siblingsOf, sumTreeLevels } from './merkleSum.ts'
import { type Receipt, receiptLeaf, type SignedReceipt } from './receipt.ts'
import { receiptToJson, signedReceiptFromJson } from './receiptJson.ts'
import { readAddress, readArray, readBytes, readObject, readString, readUint } from './schema.ts'
import { TAGS } from './tag.ts'

export const MAX_BATCH_RECEIPTS = 4096
/** 4,096 receipts of ~1,400 bytes with room to spare; a larger file is rejected unread. */
export const MAX_BATCH_FILE_BYTES = 8 * 1024 * 1024

/** What the receipts of one settlement row share. */
export type RowKey = { payer: Address; modelId: Hex; node: Address; priceVersion: bigint }
/** A row: its receipts in leaf order and its node in the upper tree. */
export type Row = RowKey & { receipts: SignedReceipt[]; levels: SumNode[][]; top: SumNode; summary: SumNode }

/** What a committer puts on chain about a batch. */
export type BatchHeader = {
  committer: Address
  height: bigint
  root: Hex
  sum: bigint
  count: bigint
  dataHash: Hex
}

export type InclusionProof = { leafSiblings: Sibling[]; rowSiblings: Sibling[] }

/** A batch whose bytes never change again: header, file, and the trees behind the root. */
export type Batch = {
  header: BatchHeader
  batchId: Hex
  /** Batch file, canonical JSON (docs/spec.md §8). */
  file: Uint8Array
  rows: Row[]
  rowLevels: SumNode[][]
}

const BATCH_PARAMETERS = parseAbiParameters('bytes32, address, uint64, bytes32, bytes32')
const ROW_PARAMETERS = parseAbiParameters(
  'bytes32, address, bytes32, address, uint64, bytes32, uint128, uint64',
)

/** docs/spec.md §6. */
export function batchIdOf(header: Pick<BatchHeader, 'committer' | 'height' | 'root' | 'dataHash'>): Hex {
  return keccak256(
    encodeAbiParameters(BATCH_PARAMETERS, [
      TAGS.batch,
      header.committer,
      header.height,
      header.root,
      header.dataHash,
    ]),
  )
}

/** Node of the upper tree for a row whose leaves fold to `top` (docs/spec.md §5). */
export function rowNode(row: RowKey, top: SumNode): SumNode {
  const hash = keccak256(
    encodeAbiParameters(ROW_PARAMETERS, [
      TAGS.row,
      row.payer,
      row.modelId,
      row.node,
      row.priceVersion,
      top.hash,
      top.sum,
      top.count,
    ]),
  )
  return { hash, sum: top.sum, count: top.count }
}

/** Sort key of a row: the four members as fixed-width big-endian hex. */
function rowOrder(row: RowKey): string {
  const priceVersion = row.priceVersion.toString(16).padStart(16, '0')
  return (row.payer.slice(2) + row.modelId.slice(2) + row.node.slice(2)).toLowerCase() + priceVersion
}

function leafOrder(signed: SignedReceipt): string {
  return signed.receipt.requestId.toLowerCase() + receiptLeaf(signed)
}

export function leafNode(signed: SignedReceipt): SumNode {
  return { hash: receiptLeaf(signed), sum: signed.receipt.price, count: 1n }
}

function buildRow(key: RowKey, receipts: SignedReceipt[]): Row {
  const levels = sumTreeLevels(receipts.map(leafNode))
  const top = (levels.at(-1) as SumNode[])[0] as SumNode
  return { ...key, receipts, levels, top, summary: rowNode(key, top) }
}

/** Groups receipts into rows in canonical order. Duplicated (requestId, leaf) pairs are rejected. */
function buildRows(receipts: readonly SignedReceipt[]): Row[] {
  const groups = new Map<string, { key: RowKey; receipts: { order: string; signed: SignedReceipt }[] }>()
  for (const signed of receipts) {
    const { payer, modelId, node, priceVersion } = signed.receipt
    const key = { payer, modelId, node, priceVersion }
    const order = rowOrder(key)
    const group = groups.get(order) ?? { key, receipts: [] }
    group.receipts.push({ order: leafOrder(signed), signed })
    groups.set(order, group)
  }
  return [...groups.keys()].sort().map((order) => {
    const group = groups.get(order)
    if (group === undefined) throw new Error('unreachable: the key came from this map')
    group.receipts.sort((a, b) => (a.order < b.order ? -1 : a.order > b.order ? 1 : 0))
    for (let at = 1; at < group.receipts.length; at++) {
      if (group.receipts[at]?.order === group.receipts[at - 1]?.order) {
        throw new AssayError('A receipt stands twice in the batch.', { code: 'invalid_batch' })
      }
    }
    return buildRow(
      group.key,
      group.receipts.map((entry) => entry.signed),
    )
  })
}

/**
 * Builds the one canonical batch of a set of receipts; the order in which they are given does not matter.
 * @throws AssayError `invalid_batch` when empty, above 4,096 receipts, or holding one twice.
 */
export function buildBatch(parameters: {
  deployment: Deployment
  committer: Address
  height: bigint
  receipts: readonly SignedReceipt[]
}): Batch {
  const { deployment, height, receipts } = parameters
  const committer = parameters.committer.toLowerCase() as Address
  if (receipts.length === 0 || receipts.length > MAX_BATCH_RECEIPTS) {
    throw new AssayError(`A batch holds 1 to ${MAX_BATCH_RECEIPTS} receipts.`, {
      code: 'invalid_batch',
      facts: { receipts: receipts.length },
    })
  }
  const rows = buildRows(receipts)
  const rowLevels = sumTreeLevels(rows.map((row) => row.summary))
  const top = (rowLevels.at(-1) as SumNode[])[0] as SumNode
  const file = canonicalJsonBytes({
    format: 'assay-batch/1',
    chainId: String(deployment.chainId),
    settlement: deployment.settlement.toLowerCase(),
    deploymentId: deployment.deploymentId,
    committer,
    height: height.toString(),
    root: top.hash,
    sum: top.sum.toString(),
    count: top.count.toString(),
    rows: rows.map((row) => ({
      payer: row.payer.toLowerCase(),
      modelId: row.modelId,
      node: row.node.toLowerCase(),
      priceVersion: row.priceVersion.toString(),
      receipts: row.receipts.map(({ receipt, signature }) => ({
        receipt: receiptToJson(receipt),
        signature,
      })),
    })),
  })
  const header = {
    committer,
    height,
    root: top.hash,
    sum: top.sum,
    count: top.count,
    dataHash: keccak256(file),
  }
  return { header, batchId: batchIdOf(header), file, rows, rowLevels }
}

/**
 * Reads a batch file, rebuilds it, and insists that the rebuilt file is byte-identical: row order, leaf order, sums,
 * counts and root are all checked by that one comparison.
 * @throws AssayError `malformed` | `non_canonical` | `invalid_batch`
 */
export function parseBatchFile(file: Uint8Array, deployment: Deployment): Batch {
  const members = readObject(parseCanonicalJson(file, MAX_BATCH_FILE_BYTES), 'batch', [
    'chainId',
    'committer',
    'count',
    'deploymentId',
    'format',
    'height',
    'root',
    'rows',
    'settlement',
    'sum',
  ])
  readUint(members.sum, 'batch.sum', 128)
  readUint(members.count, 'batch.count', 64)
  const root = readBytes(members.root, 'batch.root', 32)
  const receipts = readArray(members.rows, 'batch.rows', MAX_BATCH_RECEIPTS).flatMap((row: Json, at) => {
    const where = `batch.rows[${at}]`
    const rowMembers = readObject(row, where, ['modelId', 'node', 'payer', 'priceVersion', 'receipts'])
    return readArray(rowMembers.receipts, `${where}.receipts`, MAX_BATCH_RECEIPTS).map((signed, index) =>
      signedReceiptFromJson(signed, `${where}.receipts[${index}]`),
    )
  })
  const batch = buildBatch({
    deployment,
    committer: readAddress(members.committer, 'batch.committer'),
    height: readUint(members.height, 'batch.height', 64),
    receipts,
  })
  if (readString(members.format, 'batch.format') !== 'assay-batch/1' || batch.header.root !== root) {
    throw new AssayError('The batch file does not hold what it states.', {
      code: 'invalid_batch',
      facts: { root },
    })
  }
  if (batch.header.dataHash !== keccak256(file)) {
    throw new AssayError('The batch file is not the canonical file of its receipts for this deployment.', {
      code: 'invalid_batch',
    })
  }
  return batch
}

/** Proof that a receipt stands in the batch. @throws AssayError `not_found` */
export function proveInclusion(batch: Batch, requestId: Hex): InclusionProof & { signed: SignedReceipt } {
  for (const [rowIndex, row] of batch.rows.entries()) {
    const leafIndex = row.receipts.findIndex((signed) => signed.receipt.requestId === requestId)
    const signed = row.receipts[leafIndex]
    if (signed === undefined) continue
    return {
      signed,
      leafSiblings: siblingsOf(row.levels, leafIndex),
      rowSiblings: siblingsOf(batch.rowLevels, rowIndex),
    }
  }
  throw new AssayError('The batch holds no such receipt.', { code: 'not_found', facts: { requestId } })
}

/** Root, sum and count that a receipt and its proof lead to. @throws AssayError `out_of_range` */
export function foldInclusion(signed: SignedReceipt, proof: InclusionProof): SumNode {
  const receipt: Receipt = signed.receipt
  return foldSiblings(rowNode(receipt, foldSiblings(leafNode(signed), proof.leafSiblings)), proof.rowSiblings)
}
