import type { Hex } from 'viem'
import { keccak256 } from '#keccak256'
import { AssayError } from './errors.ts'
import { staticEncoder } from './staticEncoder.ts'
import { TAGS } from './tag.ts'

/** Node of a Merkle-sum tree: its hash commits to both children with their sums, exposures and counts. */
export type SumNode = {
  hash: Hex
  /** Prices, OPG base units. */
  sum: bigint
  /** What would be lost if it were a lie: the sum of max(price, valueAtRisk), OPG base units. */
  exposure: bigint
  count: bigint
}
/** One step of an inclusion proof, from the leaf upwards; `left` says that the sibling stands on the left. */
export type Sibling = SumNode & { left: boolean }

/** Deepest proof that is accepted; 2^32 leaves are far beyond the largest batch. */
export const MAX_PROOF_DEPTH = 32
const NODE = ['bytes32', 'uint128', 'uint128', 'uint64'] as const
const encodeParent = staticEncoder(['bytes32', ...NODE, ...NODE])

/** docs/spec.md §5. @throws AssayError `out_of_range` where a width overflows. */
export function parentNode(left: SumNode, right: SumNode): SumNode {
  const sum = left.sum + right.sum
  const exposure = left.exposure + right.exposure
  const count = left.count + right.count
  if (sum >> 128n !== 0n || exposure >> 128n !== 0n || count >> 64n !== 0n) {
    throw new AssayError('A sum or count overflows its width.', {
      code: 'out_of_range',
      facts: { sum, exposure, count },
    })
  }
  const hash = keccak256(
    encodeParent([
      TAGS.node,
      left.hash,
      left.sum,
      left.exposure,
      left.count,
      right.hash,
      right.sum,
      right.exposure,
      right.count,
    ]),
  )
  return { hash, sum, exposure, count }
}

/** Every level of the tree, leaves first, the single top last. An odd last node moves up unchanged. */
export function sumTreeLevels(nodes: readonly SumNode[]): SumNode[][] {
  if (nodes.length === 0) throw new AssayError('A tree needs at least one node.', { code: 'invalid_batch' })
  const levels: SumNode[][] = [[...nodes]]
  let level = levels[0] as SumNode[]
  while (level.length > 1) {
    const next: SumNode[] = []
    for (let at = 0; at < level.length; at += 2) {
      const left = level[at] as SumNode
      const right = level[at + 1]
      next.push(right === undefined ? left : parentNode(left, right))
    }
    levels.push(next)
    level = next
  }
  return levels
}

/** Siblings from node `index` of the bottom level to the top. */
export function siblingsOf(levels: readonly (readonly SumNode[])[], index: number): Sibling[] {
  const siblings: Sibling[] = []
  let at = index
  for (const level of levels.slice(0, -1)) {
    const sibling = level[at ^ 1]
    if (sibling !== undefined) siblings.push({ ...sibling, left: at % 2 === 1 })
    at >>= 1
  }
  return siblings
}

/** Top that a node and its siblings lead to. @throws AssayError `out_of_range` */
export function foldSiblings(node: SumNode, siblings: readonly Sibling[]): SumNode {
  if (siblings.length > MAX_PROOF_DEPTH) {
    throw new AssayError('The proof is too deep.', {
      code: 'out_of_range',
      facts: { depth: siblings.length },
    })
  }
  let at = node
  for (const sibling of siblings) at = sibling.left ? parentNode(sibling, at) : parentNode(at, sibling)
  return at
}
