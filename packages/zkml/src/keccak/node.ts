import { createKeccak } from 'hash-wasm'
import type { Keccak256 } from './keccak.ts'

const hasher = await createKeccak(256)

/**
 * Compiled to WebAssembly. Over the tape of a check go tens of thousands of hashes of a block each, which in JavaScript took
 * longer than the check. One hasher serves all, since nothing between init and digest waits.
 */
export const keccak256: Keccak256 = (data) => hasher.init().update(data).digest('binary')
