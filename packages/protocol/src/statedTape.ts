import { concatHex, type Hex, toHex } from 'viem'
import { chunkTree, DATA_CHUNK_BYTES } from './batchData.ts'
import type { BatchEntry } from './receipt.ts'

/** Words that follow each other under a root, filled up to a power of two; Solidity's `WordRun`. */
export type WordRun = { words: readonly Hex[]; siblings: readonly Hex[] }

/** Words of a tape that are shown on chain at once (`ShownTapes.PART_WORDS`). */
export const TAPE_PART_WORDS = 512

/**
 * Where a batch file states the tape of a receipt: `"signature":"0x…","tape":"0x…"`, which no text inside canonical JSON can
 * spell, so that a contract is shown the chunks with these bytes and parses nothing.
 * @returns undefined where the file states none
 */
export function stateTape(file: Uint8Array, { signature, zk }: Pick<BatchEntry, 'signature' | 'zk'>) {
  if (zk === undefined) return undefined
  const stated = new TextEncoder().encode(`"signature":"${signature}","tape":"${zk.tape}"`)
  const start = findBytes(file, stated)
  if (start < 0) return undefined
  const firstChunk = Math.floor(start / DATA_CHUNK_BYTES)
  const lastChunk = Math.floor((start + stated.length - 1) / DATA_CHUNK_BYTES)
  const tree = chunkTree(file)
  const shown = Array.from({ length: lastChunk - firstChunk + 1 }, (_, at) => tree.prove(firstChunk + at))
  return {
    signature,
    root: zk.tape,
    length: BigInt(file.length),
    firstChunk: BigInt(firstChunk),
    chunks: concatHex(shown.map(({ chunk }) => toHex(chunk))),
    siblings: shown.map(({ siblings }) => siblings),
    start: BigInt(start - firstChunk * DATA_CHUNK_BYTES),
  }
}

/** Where the bytes stand first, or −1. */
function findBytes(file: Uint8Array, wanted: Uint8Array): number {
  const [first] = wanted
  for (let at = file.indexOf(first as number); at >= 0; at = file.indexOf(first as number, at + 1)) {
    if (wanted.every((byte, offset) => file[at + offset] === byte)) return at
  }
  return -1
}
