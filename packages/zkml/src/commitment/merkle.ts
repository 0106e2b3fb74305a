/**
 * Keccak-256 Merkle trees over the columns of an encoded matrix. Leaves and nodes hash under different prefixes, and a
 * leaf's prefix holds its length, so neither can stand for the other.
 */
import { keccak256 } from '#keccak'
import { ZkmlError } from '../errors.ts'
import type { ProofReader } from '../transcript/proofReader.ts'

/** keccak(0 as u32 ‖ rows as u32 ‖ elements as u32), all little-endian. `column` is the elements' encoding. */
export function hashLeaf(column: Uint8Array): Uint8Array {
  const message = new Uint8Array(8 + column.length)
  new DataView(message.buffer).setUint32(4, column.length / 4, true)
  message.set(column, 8)
  return keccak256(message)
}

/** keccak(1 as u32 ‖ 0 as u32 ‖ left ‖ right). */
export function hashNode(left: Uint8Array, right: Uint8Array): Uint8Array {
  const message = new Uint8Array(72)
  message[0] = 1
  message.set(left, 8)
  message.set(right, 40)
  return keccak256(message)
}

/**
 * The root of a tree of 2^depth leaves, from some leaves (indices ascending, each once) and the siblings that cannot be
 * computed from them, which are read from the proof, level by level, left to right.
 */
export function rootFromLeaves(
  reader: ProofReader,
  depth: number,
  indices: readonly number[],
  leaves: readonly Uint8Array[],
  /** Told of every node that is known. */
  known: (height: number, index: number, hash: Uint8Array) => void = () => {},
): Uint8Array {
  let level = indices.map((index, at) => ({ index, hash: leaves[at] as Uint8Array }))
  for (let height = 0; height < depth; height++) {
    const parents: typeof level = []
    for (let at = 0; at < level.length; at++) {
      const { index, hash } = level[at] as { index: number; hash: Uint8Array }
      const next = level[at + 1]
      const paired = index % 2 === 0 && next?.index === index + 1
      if (paired) at++
      const sibling = paired ? (next as { hash: Uint8Array }).hash : reader.take(32)
      const parent = index % 2 === 0 ? hashNode(hash, sibling) : hashNode(sibling, hash)
      known(height, index, hash)
      known(height, index + (index % 2 === 0 ? 1 : -1), sibling)
      parents.push({ index: Math.floor(index / 2), hash: parent })
    }
    level = parents
  }
  const root = level[0]
  if (root === undefined || level.length !== 1) throw new ZkmlError('invalid_proof', 'no leaf was opened')
  return root.hash
}

/** Siblings, as `rootFromLeaves` wants them: for each level, the nodes next to a known one and not known themselves. */
export function siblingsOf(depth: number, indices: readonly number[]): { height: number; index: number }[] {
  const siblings: { height: number; index: number }[] = []
  let level = [...indices]
  for (let height = 0; height < depth; height++) {
    const known = new Set(level)
    for (const index of level) {
      const sibling = index % 2 === 0 ? index + 1 : index - 1
      if (!known.has(sibling)) siblings.push({ height, index: sibling })
    }
    level = [...new Set(level.map((index) => Math.floor(index / 2)))]
  }
  return siblings
}
