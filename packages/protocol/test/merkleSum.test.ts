/** docs/spec.md §5: the tree whose nodes commit to hash, sum and count. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { encodeAbiParameters, keccak256, toHex } from 'viem'
import {
  AssayError,
  foldSiblings,
  MAX_PROOF_DEPTH,
  parentNode,
  type Sibling,
  type SumNode,
  siblingsOf,
  sumTreeLevels,
  tag,
} from '../src/index.ts'
import { bytes32 } from './support/arbitraries.ts'

const node: fc.Arbitrary<SumNode> = fc.record(
  {
    hash: bytes32,
    sum: fc.bigInt({ min: 0n, max: 2n ** 100n }),
    exposure: fc.bigInt({ min: 0n, max: 2n ** 100n }),
    count: fc.bigInt({ min: 1n, max: 2n ** 40n }),
  },
  { noNullPrototype: true },
)
const nodes = fc.array(node, { minLength: 1, maxLength: 40 })
const topOf = (levels: SumNode[][]) => levels.at(-1)?.[0] as SumNode
const outOfRange = (error: unknown) => error instanceof AssayError && error.code === 'out_of_range'

/** The rule of the page, written once more and recursively. */
function plainTop(level: readonly SumNode[]): SumNode {
  if (level.length === 1) return level[0] as SumNode
  const next: SumNode[] = []
  for (let at = 0; at + 1 < level.length; at += 2) {
    next.push(parentNode(level[at] as SumNode, level[at + 1] as SumNode))
  }
  if (level.length % 2 === 1) next.push(level.at(-1) as SumNode)
  return plainTop(next)
}

test('a parent commits to both children with their sums, exposures and counts, in order', () => {
  fc.assert(
    fc.property(node, node, (left, right) => {
      const child = ['bytes32', 'uint128', 'uint128', 'uint64']
      const words = ['bytes32', ...child, ...child].map((type) => ({ type }))
      const values = [
        tag('assay/node/v1'),
        left.hash,
        left.sum,
        left.exposure,
        left.count,
        right.hash,
        right.sum,
        right.exposure,
        right.count,
      ]
      const parent = parentNode(left, right)
      assert.deepEqual(parent, {
        hash: keccak256(encodeAbiParameters(words, values)),
        sum: left.sum + right.sum,
        exposure: left.exposure + right.exposure,
        count: left.count + right.count,
      })
      fc.pre(left.hash !== right.hash)
      assert.notEqual(parent.hash, parentNode(right, left).hash)
    }),
    { numRuns: 30 },
  )
})

test('every leaf proves itself, and the top carries the whole sum and count', () => {
  fc.assert(
    fc.property(nodes, (leaves) => {
      const levels = sumTreeLevels(leaves)
      const top = topOf(levels)
      assert.deepEqual(top, plainTop(leaves))
      assert.equal(
        top.sum,
        leaves.reduce((sum, leaf) => sum + leaf.sum, 0n),
      )
      assert.equal(
        top.count,
        leaves.reduce((count, leaf) => count + leaf.count, 0n),
      )
      for (const [index, leaf] of leaves.entries()) {
        const siblings = siblingsOf(levels, index)
        assert.ok(siblings.length <= Math.ceil(Math.log2(leaves.length)))
        assert.deepEqual(foldSiblings(leaf, siblings), top)
      }
    }),
    { numRuns: 40 },
  )
})

test('whatever is flipped in a leaf or in a proof leads to another top', () => {
  const flip = (value: SumNode, part: number): SumNode => {
    if (part === 0) return { ...value, hash: toHex(BigInt(value.hash) ^ 1n, { size: 32 }) }
    const member = (['sum', 'exposure', 'count'] as const)[part - 1] ?? 'count'
    return { ...value, [member]: value[member] ^ 1n }
  }
  fc.assert(
    fc.property(fc.array(node, { minLength: 2, maxLength: 20 }), fc.nat(), fc.nat(), (leaves, pick, step) => {
      const levels = sumTreeLevels(leaves)
      const { hash } = topOf(levels)
      const index = pick % leaves.length
      const leaf = leaves[index] as SumNode
      const siblings = siblingsOf(levels, index)
      for (const part of [0, 1, 2, 3]) assert.notEqual(foldSiblings(flip(leaf, part), siblings).hash, hash)
      const at = step % siblings.length
      const changed = (sibling: Sibling) => siblings.map((old, place) => (place === at ? sibling : old))
      const sibling = siblings[at] as Sibling
      for (const part of [0, 1, 2, 3]) {
        const other = { ...flip(sibling, part), left: sibling.left }
        assert.notEqual(foldSiblings(leaf, changed(other)).hash, hash)
      }
      assert.notEqual(foldSiblings(leaf, changed({ ...sibling, left: !sibling.left })).hash, hash)
      assert.notEqual(foldSiblings(leaf, siblings.toSpliced(at, 1)).hash, hash)
      assert.notEqual(foldSiblings(leaf, siblings.toSpliced(at, 0, sibling)).hash, hash)
    }),
    { numRuns: 40 },
  )
})

test('an odd last node moves up unchanged and is never doubled', () => {
  const [a, b, c] = fc.sample(node, { numRuns: 3, seed: 7 }) as [SumNode, SumNode, SumNode]
  const levels = sumTreeLevels([a, b, c])
  assert.deepEqual(
    levels.map((level) => level.length),
    [3, 2, 1],
  )
  assert.deepEqual(levels[1]?.[1], c)
  assert.deepEqual(topOf(levels), parentNode(parentNode(a, b), c))
  assert.equal(siblingsOf(levels, 2).length, 1)
  assert.notDeepEqual(topOf(sumTreeLevels([a, b, c, c])), topOf(levels))
})

test('the order of the leaves matters', () => {
  fc.assert(
    fc.property(node, node, node, (a, b, c) => {
      fc.pre(a.hash !== b.hash)
      assert.notEqual(topOf(sumTreeLevels([a, b, c])).hash, topOf(sumTreeLevels([b, a, c])).hash)
    }),
    { numRuns: 20 },
  )
})

test('no node, a sum or count beyond its width, and a proof that is too deep are refused', () => {
  const hash = `0x${'00'.repeat(32)}` as const
  const one = { hash, sum: 1n, exposure: 1n, count: 1n }
  assert.throws(() => sumTreeLevels([]), AssayError)
  assert.throws(() => parentNode({ ...one, sum: 2n ** 128n - 1n }, one), outOfRange)
  assert.throws(() => parentNode(one, { ...one, exposure: 2n ** 128n - 1n }), outOfRange)
  assert.throws(() => parentNode(one, { ...one, count: 2n ** 64n - 1n }), outOfRange)
  assert.equal(parentNode({ ...one, sum: 2n ** 128n - 2n }, one).sum, 2n ** 128n - 1n)
  const siblings = (length: number) => Array.from({ length }, () => ({ ...one, left: false }))
  assert.equal(foldSiblings(one, siblings(MAX_PROOF_DEPTH)).count, 33n)
  assert.throws(() => foldSiblings(one, siblings(MAX_PROOF_DEPTH + 1)), outOfRange)
})
