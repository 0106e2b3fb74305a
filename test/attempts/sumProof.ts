import { type Batch, type BatchEntry, contractEntry, RECEIPT_FIELDS, siblingsOf } from '@assay/protocol'
import { type AbiParameter, encodeAbiParameters, type Hex, parseAbiParameters } from 'viem'
import type { Random } from './random.ts'

/** What the hash of an accused node is made of: SumFault's `Content`. */
const CONTENT = { leaf: 0, inner: 1, row: 2 } as const

// An adversary writes its own proofs, of nodes that no honest encoder would accuse.
const PROOF = parseAbiParameters([
  'SumProof proof',
  `struct Receipt { ${RECEIPT_FIELDS.map(({ type, name }) => `${type} ${name};`).join(' ')} }`,
  'struct Entry { Receipt receipt; bytes32 signatureHash; bytes32 grantId; uint64 counter; }',
  'struct Sibling { bytes32 hash; uint128 sum; uint128 exposure; uint64 count; bool left; }',
  'struct SumNode { bytes32 hash; uint128 sum; uint128 exposure; uint64 count; }',
  'struct RowKey { address node; address payer; bytes32 grantId; bytes32 modelId; uint64 priceVersion; }',
  'struct SumProof { bytes32 batchId; SumNode accused; uint8 content; Entry leaf; SumNode left; SumNode right; RowKey rowKey; SumNode rowTop; bool inRow; address node; Sibling[] leafSiblings; Sibling[] rowSiblings; Sibling[] groupSiblings; }',
]) as readonly AbiParameter[]

/** Accuses some node of a batch's trees: a leaf, a row, or one that has two children, in a row or above rows. */
export function accuseNode(batch: Batch, random: Random): Hex {
  const groupIndex = random.below(batch.groups.length)
  const group = at(batch.groups, groupIndex)
  const rowIndex = random.below(group.rows.length)
  const row = at(group.rows, rowIndex)
  const inRow = random.chance(0.6)
  const levels = inRow ? row.levels : group.levels
  // The top is where a whole group's claim stands.
  const level = random.chance(0.4) ? levels.length - 1 : random.below(levels.length)
  const index = random.below(at(levels, level).length)
  const accused = at(at(levels, level), index)
  const below = levels[level - 1] ?? []
  const [left, right] = [below[2 * index], below[2 * index + 1]]
  const ofBottom = inRow ? CONTENT.leaf : CONTENT.row
  const content = left !== undefined && right !== undefined ? CONTENT.inner : ofBottom
  // A node that moved up alone is the one below, or claims to be.
  const bottom = bottomIndex(level, index)
  const siblings = siblingsOf(levels.slice(level), index)
  const { node, payer, grantId, modelId, priceVersion } = inRow ? row : at(group.rows, bottom)
  return encodeAbiParameters(PROOF, [
    {
      batchId: batch.batchId,
      accused,
      content,
      leaf: contractEntry((row.receipts[inRow ? bottom : 0] ?? row.receipts[0]) as BatchEntry),
      left: left ?? accused,
      right: right ?? accused,
      rowKey: { node, payer, grantId, modelId, priceVersion },
      rowTop: (inRow ? row : at(group.rows, bottom)).top,
      inRow,
      node: group.node,
      leafSiblings: inRow ? siblings : [],
      rowSiblings: inRow ? siblingsOf(group.levels, rowIndex) : siblings,
      groupSiblings: siblingsOf(batch.groupLevels, groupIndex),
    },
  ])
}

/** The leftmost node of the bottom level under one. */
function bottomIndex(level: number, index: number): number {
  return index * 2 ** level
}

function at<T>(list: readonly T[], index: number): T {
  const found = list[index]
  if (found === undefined) throw new Error('a tree has no such node')
  return found
}
