/** The hash of a batch file, docs/spec.md §6: of its length and the tree of its chunks. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { encodeAbiParameters, type Hex, keccak256 } from 'viem'
import { AssayError, type ChunkTree, chunkTree, DATA_CHUNK_BYTES, dataHashOf, tag } from '../src/index.ts'

const hash = (types: string[], values: unknown[]): Hex =>
  keccak256(
    encodeAbiParameters(
      types.map((type) => ({ type })),
      values,
    ),
  )

/** Where a chunk and its siblings lead, written from the page. */
function fold(length: number, index: number, { chunk, siblings }: ReturnType<ChunkTree['prove']>): Hex {
  const leaf = [tag('assay/data-chunk/v1'), BigInt(index), keccak256(chunk)]
  let at = hash(['bytes32', 'uint64', 'bytes32'], leaf)
  for (const sibling of siblings) {
    const pair = sibling.left ? [sibling.hash, at] : [at, sibling.hash]
    at = hash(['bytes32', 'bytes32', 'bytes32'], [tag('assay/data-node/v1'), ...pair])
  }
  return hash(['bytes32', 'uint64', 'bytes32'], [tag('assay/data/v1'), BigInt(length), at])
}

const lengths = fc.constantFrom(1, 8191, 8192, 8193, 16_384, 24_577, 57_344, 70_000)

test('every chunk of a file leads to its hash, and no chunk poses as another', () => {
  fc.assert(
    fc.property(lengths, fc.integer({ min: 0, max: 255 }), (length, byte) => {
      const file = new Uint8Array(length).fill(byte)
      const chunks = Math.ceil(length / DATA_CHUNK_BYTES)
      const tree = chunkTree(file)
      assert.equal(tree.count, chunks)
      const end = [tag('assay/data/v1'), BigInt(length), tree.root]
      assert.equal(hash(['bytes32', 'uint64', 'bytes32'], end), dataHashOf(file))
      for (let index = 0; index < chunks; index++) {
        const proof = tree.prove(index)
        assert.equal(proof.chunk.length, Math.min(DATA_CHUNK_BYTES, length - index * DATA_CHUNK_BYTES))
        assert.equal(fold(length, index, proof), dataHashOf(file))
        // Equal bytes at another place are another leaf.
        assert.notEqual(fold(length, index + 1, proof), dataHashOf(file))
        assert.notEqual(fold(length + 1, index, proof), dataHashOf(file))
      }
    }),
    { numRuns: 20 },
  )
})

test('whatever byte changes, the hash changes', () => {
  fc.assert(
    fc.property(lengths, fc.nat(), (length, place) => {
      const file = new Uint8Array(length)
      const before = dataHashOf(file)
      file[place % length] = 1
      assert.notEqual(dataHashOf(file), before)
    }),
    { numRuns: 40 },
  )
})

test('an empty file and a chunk beyond the end are refused', () => {
  const code = (expected: string) => (error: unknown) =>
    error instanceof AssayError && error.code === expected
  assert.throws(() => dataHashOf(new Uint8Array()), code('invalid_batch'))
  assert.throws(() => chunkTree(new Uint8Array(8193)).prove(2), code('not_found'))
  assert.throws(() => chunkTree(new Uint8Array(8193)).prove(-1), code('not_found'))
})
