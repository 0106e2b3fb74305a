import type { Hex } from 'viem'
import { keccak256 } from '#keccak256'
import { AssayError } from './errors.ts'
import { staticEncoder } from './staticEncoder.ts'
import { TAGS } from './tag.ts'

/** Bytes of one chunk: what a single transaction can carry as the answer to a challenge. */
export const DATA_CHUNK_BYTES = 8192

/** One step of the way from a chunk to the chunk root. */
export type DataSibling = { hash: Hex; left: boolean }

const encodeChunk = staticEncoder(['bytes32', 'uint64', 'bytes32'])
const encodeNode = staticEncoder(['bytes32', 'bytes32', 'bytes32'])
const encodeData = staticEncoder(['bytes32', 'uint64', 'bytes32'])

function chunkAt(file: Uint8Array, index: number): Uint8Array {
  return file.subarray(index * DATA_CHUNK_BYTES, (index + 1) * DATA_CHUNK_BYTES)
}

/** Every level of the chunk tree, leaves first. An odd last node moves up unchanged; an empty file has no chunks. */
function chunkLevels(file: Uint8Array): Hex[][] {
  if (file.length === 0) throw new AssayError('A batch file is never empty.', { code: 'invalid_batch' })
  const chunks = Math.ceil(file.length / DATA_CHUNK_BYTES)
  const leaves = Array.from({ length: chunks }, (_, index) =>
    keccak256(encodeChunk([TAGS.dataChunk, BigInt(index), keccak256(chunkAt(file, index))])),
  )
  const levels = [leaves]
  for (let level = leaves; level.length > 1; ) {
    const next: Hex[] = []
    for (let at = 0; at < level.length; at += 2) {
      const left = level[at] as Hex
      const right = level[at + 1]
      const parent = () => keccak256(encodeNode([TAGS.dataNode, left, right as Hex]))
      next.push(right === undefined ? left : parent())
    }
    levels.push(next)
    level = next
  }
  return levels
}

/** The chunks of a batch file, hashed once: what answers any number of demands for them. */
export type ChunkTree = {
  count: number
  /** Top of the tree of chunks; with the length it shows where the file ends. */
  root: Hex
  dataHash: Hex
  /** One chunk and its way to the data hash. @throws AssayError `not_found` */
  prove: (index: number) => { chunk: Uint8Array; siblings: DataSibling[] }
}

/** @throws AssayError `invalid_batch` for an empty file */
export function chunkTree(file: Uint8Array): ChunkTree {
  const levels = chunkLevels(file)
  const [root] = levels.at(-1) as [Hex]
  const count = (levels[0] as Hex[]).length
  return {
    count,
    root,
    dataHash: keccak256(encodeData([TAGS.data, BigInt(file.length), root])),
    prove(index) {
      if (index < 0 || index >= count) {
        throw new AssayError('The file has no such chunk.', { code: 'not_found', facts: { index } })
      }
      const siblings: DataSibling[] = []
      let at = index
      for (const level of levels.slice(0, -1)) {
        const hash = level[at ^ 1]
        if (hash !== undefined) siblings.push({ hash, left: at % 2 === 1 })
        at >>= 1
      }
      return { chunk: chunkAt(file, index), siblings }
    },
  }
}

/**
 * Hash that stands for a batch file: of its length and the tree of its 8 KiB chunks (docs/spec.md §6).
 * @throws AssayError `invalid_batch` for an empty file
 */
export function dataHashOf(file: Uint8Array): Hex {
  return chunkTree(file).dataHash
}
