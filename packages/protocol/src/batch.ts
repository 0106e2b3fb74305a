import type { Address, Hex } from 'viem'
import { keccak256 } from '#keccak256'
import { dataHashOf } from './batchData.ts'
import { canonicalJsonBytes, type Json } from './canonicalJson.ts'
import type { Deployment } from './domain.ts'
import { AssayError } from './errors.ts'
import { foldSiblings, type Sibling, type SumNode, siblingsOf, sumTreeLevels } from './merkleSum.ts'
import { type ProofAttachment, proofAttachmentToJson } from './proofAttachment.ts'
import { type BatchEntry, type Receipt, receiptExposure, receiptLeaf, signatureHash } from './receipt.ts'
import { receiptToJson } from './receiptJson.ts'
import { staticEncoder } from './staticEncoder.ts'
import { TAGS } from './tag.ts'

export const MAX_BATCH_RECEIPTS = 4096
/** 4,096 receipts of ~1,400 bytes with room to spare; a larger file is rejected unread. */
export const MAX_BATCH_FILE_BYTES = 8 * 1024 * 1024

/** Inference nodes whose receipts one batch may hold. */
export const MAX_BATCH_NODES = 32
/** `grantId` where each call pays for itself. */
export const NO_GRANT: Hex = `0x${'00'.repeat(32)}`

/** What the receipts of one settlement row share. */
export type RowKey = { node: Address; payer: Address; grantId: Hex; modelId: Hex; priceVersion: bigint }
/** A row: its receipts in leaf order and its node in the tree of its group. */
export type Row = RowKey & { receipts: BatchEntry[]; levels: SumNode[][]; top: SumNode; summary: SumNode }
/** All rows of one inference node: `levels` over the rows, `summary` in the tree of the batch. */
export type Group = { node: Address; rows: Row[]; levels: SumNode[][]; top: SumNode; summary: SumNode }

/** What a committer puts on chain about the rows of one node; Solidity's `Group`. */
export type GroupHeader = { node: Address; top: Hex; sum: bigint; exposure: bigint; count: bigint }

/** What the chain knows of a batch. */
export type BatchHeader = {
  committer: Address
  height: bigint
  root: Hex
  sum: bigint
  exposure: bigint
  count: bigint
  dataHash: Hex
}

export type InclusionProof = { leafSiblings: Sibling[]; rowSiblings: Sibling[]; groupSiblings: Sibling[] }

/** A batch whose bytes never change again: header, file, and the trees behind the root. */
export type Batch = {
  header: BatchHeader
  batchId: Hex
  /** Batch file, canonical JSON (docs/spec.md §8). */
  file: Uint8Array
  groups: Group[]
  groupLevels: SumNode[][]
}

const encodeBatch = staticEncoder(['bytes32', 'address', 'uint64', 'bytes32', 'bytes32'])
const ROW_KEY = ['bytes32', 'address', 'address', 'bytes32', 'bytes32', 'uint64'] as const
const TOP = ['bytes32', 'uint128', 'uint128', 'uint64'] as const
const encodeRow = staticEncoder([...ROW_KEY, ...TOP])
const encodeGroup = staticEncoder(['bytes32', 'address', ...TOP])

/** docs/spec.md §6. */
export function batchIdOf(header: Pick<BatchHeader, 'committer' | 'height' | 'root' | 'dataHash'>): Hex {
  return keccak256(encodeBatch([TAGS.batch, header.committer, header.height, header.root, header.dataHash]))
}

/** Node that stands for a row whose leaves fold to `top` (docs/spec.md §5). */
export function rowNode(row: RowKey, top: SumNode): SumNode {
  const hash = keccak256(
    encodeRow([
      TAGS.row,
      row.node,
      row.payer,
      row.grantId,
      row.modelId,
      row.priceVersion,
      top.hash,
      top.sum,
      top.exposure,
      top.count,
    ]),
  )
  return { ...top, hash }
}

/** Node that stands for all rows of one inference node (docs/spec.md §5). */
export function groupNode(node: Address, top: SumNode): SumNode {
  const hash = keccak256(encodeGroup([TAGS.group, node, top.hash, top.sum, top.exposure, top.count]))
  return { ...top, hash }
}

export function rowKeyOf({ receipt, grant }: BatchEntry): RowKey {
  const { node, payer, modelId, priceVersion } = receipt
  return { node, payer, grantId: grant?.id ?? NO_GRANT, modelId, priceVersion }
}

/** Sort key of a row: its members as fixed-width big-endian hex, the node first, so that groups stand together. */
function rowOrder(row: RowKey): string {
  const fixed = [row.node, row.payer, row.grantId, row.modelId].map((member) => member.slice(2)).join('')
  return fixed.toLowerCase() + row.priceVersion.toString(16).padStart(16, '0')
}

/** Order of receipts in a row: by request, then by leaf, which is computed for the rare two of one request only. */
function compareEntries(a: BatchEntry, b: BatchEntry): number {
  const [first, second] = [a.receipt.requestId.toLowerCase(), b.receipt.requestId.toLowerCase()]
  if (first !== second) return first < second ? -1 : 1
  const [left, right] = [receiptLeaf(a), receiptLeaf(b)]
  return left < right ? -1 : left > right ? 1 : 0
}

export function leafNode(entry: BatchEntry): SumNode {
  const { price } = entry.receipt
  return { hash: receiptLeaf(entry), sum: price, exposure: receiptExposure(entry.receipt), count: 1n }
}

/** The one node of the last level. */
export function topOf(levels: readonly SumNode[][]): SumNode {
  return (levels.at(-1) as SumNode[])[0] as SumNode
}

/** A row of receipts in the order given. */
export function buildRow(key: RowKey, receipts: BatchEntry[]): Row {
  const levels = sumTreeLevels(receipts.map(leafNode))
  const top = topOf(levels)
  return { ...key, receipts, levels, top, summary: rowNode(key, top) }
}

/** The rows of one inference node, in the order given. */
export function buildGroup(node: Address, rows: Row[]): Group {
  const levels = sumTreeLevels(rows.map((row) => row.summary))
  const top = topOf(levels)
  return { node, rows, levels, top, summary: groupNode(node, top) }
}

/** Rows in canonical order. @throws AssayError `invalid_batch` for a duplicated (requestId, leaf) pair */
function buildRows(receipts: readonly BatchEntry[]): Row[] {
  const drafts = new Map<string, { key: RowKey; entries: BatchEntry[] }>()
  for (const entry of receipts) {
    const key = rowKeyOf(entry)
    const order = rowOrder(key)
    const draft = drafts.get(order) ?? { key, entries: [] }
    draft.entries.push(entry)
    drafts.set(order, draft)
  }
  const ordered = [...drafts].sort(([a], [b]) => (a < b ? -1 : 1))
  return ordered.map(([, { key, entries }]) => {
    entries.sort(compareEntries)
    for (let at = 1; at < entries.length; at++) {
      if (compareEntries(entries[at - 1] as BatchEntry, entries[at] as BatchEntry) === 0) {
        throw new AssayError('A receipt stands twice in the batch.', { code: 'invalid_batch' })
      }
    }
    return buildRow(key, entries)
  })
}

/** Consecutive rows of the same node, as groups. @throws AssayError `invalid_batch` for too many nodes */
function buildGroups(rows: readonly Row[]): Group[] {
  const ofNode = new Map<string, Row[]>()
  for (const row of rows) {
    const node = row.node.toLowerCase()
    ofNode.set(node, [...(ofNode.get(node) ?? []), row])
  }
  if (ofNode.size > MAX_BATCH_NODES) {
    throw new AssayError(`A batch holds receipts of at most ${MAX_BATCH_NODES} nodes.`, {
      code: 'invalid_batch',
      facts: { nodes: ofNode.size },
    })
  }
  return [...ofNode].map(([node, ofThis]) => buildGroup(node as Address, ofThis))
}

/** What `Settlement.commit` takes for the batch. */
export function groupHeaders(batch: Pick<Batch, 'groups'>): GroupHeader[] {
  return batch.groups.map(({ node, top: { hash, sum, exposure, count } }) => ({
    node,
    top: hash,
    sum,
    exposure,
    count,
  }))
}

/**
 * Builds the one canonical batch of a set of receipts; the order in which they are given does not matter.
 * @throws AssayError `invalid_batch` when empty, above 4,096 receipts or 32 nodes, or holding one twice.
 */
export function buildBatch(parameters: {
  deployment: Deployment
  committer: Address
  height: bigint
  receipts: readonly BatchEntry[]
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
  const groups = buildGroups(rows)
  const groupLevels = sumTreeLevels(groups.map((group) => group.summary))
  const { hash: root, sum, exposure, count } = topOf(groupLevels)
  const file = canonicalJsonBytes({
    format: 'assay-batch/1',
    chainId: String(deployment.chainId),
    settlement: deployment.settlement.toLowerCase(),
    deploymentId: deployment.deploymentId,
    committer,
    height: height.toString(),
    root,
    sum: sum.toString(),
    exposure: exposure.toString(),
    count: count.toString(),
    rows: rows.map((row) => ({
      node: row.node.toLowerCase(),
      payer: row.payer.toLowerCase(),
      grantId: row.grantId,
      modelId: row.modelId,
      priceVersion: row.priceVersion.toString(),
      receipts: row.receipts.map(({ receipt, signature, grant, zk }) => ({
        counter: (grant?.counter ?? 0n).toString(),
        receipt: receiptToJson(receipt),
        signature,
        ...(zk === undefined ? {} : provenToJson(zk)),
      })),
    })),
  })
  const header = { committer, height, root, sum, exposure, count, dataHash: dataHashOf(file) }
  return { header, batchId: batchIdOf(header), file, groups, groupLevels }
}

/** The tape's root stands right behind the signature, so that a contract can tell whose it is without reading JSON. */
function provenToJson(attachment: ProofAttachment): { [name: string]: Json } {
  const { tape, ...zk } = proofAttachmentToJson(attachment)
  return { tape: tape as Json, zk }
}

/** Proof that a receipt stands in the batch. @throws AssayError `not_found` */
export function proveInclusion(batch: Batch, requestId: Hex): InclusionProof & { entry: BatchEntry } {
  for (const [groupIndex, group] of batch.groups.entries()) {
    for (const [rowIndex, row] of group.rows.entries()) {
      const leafIndex = row.receipts.findIndex((entry) => entry.receipt.requestId === requestId)
      const entry = row.receipts[leafIndex]
      if (entry === undefined) continue
      return {
        entry,
        leafSiblings: siblingsOf(row.levels, leafIndex),
        rowSiblings: siblingsOf(group.levels, rowIndex),
        groupSiblings: siblingsOf(batch.groupLevels, groupIndex),
      }
    }
  }
  throw new AssayError('The batch holds no such receipt.', { code: 'not_found', facts: { requestId } })
}

/** Root, sum, exposure and count that a receipt and its proof lead to. @throws AssayError `out_of_range` */
export function foldInclusion(entry: BatchEntry, proof: InclusionProof): SumNode {
  const row = rowNode(rowKeyOf(entry), foldSiblings(leafNode(entry), proof.leafSiblings))
  const group = groupNode(entry.receipt.node, foldSiblings(row, proof.rowSiblings))
  return foldSiblings(group, proof.groupSiblings)
}

/** Root of the batch that holds this receipt alone, as `Settlement.force` makes it. */
export function rootOfSingle(entry: BatchEntry): Hex {
  return foldInclusion(entry, { leafSiblings: [], rowSiblings: [], groupSiblings: [] }).hash
}

/** A receipt as the contracts take it: Solidity's `Entry`. */
export function contractEntry({ receipt, signature, grant }: BatchEntry): {
  receipt: Receipt
  signatureHash: Hex
  grantId: Hex
  counter: bigint
} {
  return {
    receipt,
    signatureHash: signatureHash(signature),
    grantId: grant?.id ?? NO_GRANT,
    counter: grant?.counter ?? 0n,
  }
}

/** Every receipt of the batch, in file order. */
export function batchEntries(batch: Pick<Batch, 'groups'>): BatchEntry[] {
  return batch.groups.flatMap((group) => group.rows.flatMap((row) => row.receipts))
}
