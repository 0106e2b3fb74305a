/** A list of words of 32 bytes under a Merkle root, of which runs can be shown: programs and tapes alike. */
import { keccak256 } from '#keccak'

/** Words that stand under a root, and the way there: from the level of the run up. */
export type ShownRun = { first: number; words: Uint8Array; siblings: Uint8Array[] }

/** Levels of a tree, from the words up. */
export type WordTree = readonly Uint8Array[]

/** Levels of the tree over the words, a power of two of them, the rest zero; zeros alone hash to zero. */
export function wordTree(words: Uint8Array): WordTree {
  const levels = [padded(words)]
  for (let level = levels[0] as Uint8Array; level.length > 32; level = levels.at(-1) as Uint8Array) {
    const parents = new Uint8Array(level.length / 2)
    for (let at = 0; at < level.length; at += 64) {
      const pair = level.subarray(at, at + 64)
      if (!isZero(pair)) parents.set(keccak256(pair), at / 2)
    }
    levels.push(parents)
  }
  return levels
}

export function rootOf(levels: WordTree): Uint8Array {
  return levels.at(-1) as Uint8Array
}

/** The run of `count` words from `first`, filled up to a power of two, which must divide `first`. */
export function showRun(levels: WordTree, first: number, count: number): ShownRun {
  const height = bitsOf(count)
  const size = 2 ** height
  if (first % size !== 0) throw new RangeError(`no run of ${count} begins at ${first}`)
  const siblings: Uint8Array[] = []
  for (let level = height, at = first / size; level < levels.length - 1; level++, at = Math.floor(at / 2)) {
    const sibling = at % 2 === 0 ? at + 1 : at - 1
    siblings.push((levels[level] as Uint8Array).slice(32 * sibling, 32 * sibling + 32))
  }
  return { first, words: (levels[0] as Uint8Array).slice(32 * first, 32 * (first + size)), siblings }
}

/** The least k with count ≤ 2^k. */
export function bitsOf(count: number): number {
  let bits = 0
  while (2 ** bits < count) bits++
  return bits
}

function isZero(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at++) if (bytes[at] !== 0) return false
  return true
}

function padded(words: Uint8Array): Uint8Array {
  const leaves = new Uint8Array(32 * 2 ** bitsOf(words.length / 32))
  leaves.set(words)
  return leaves
}
