import { keccak_256 } from '@noble/hashes/sha3.js'
import type { Keccak256 } from './keccak.ts'

/** Plain JavaScript, for browsers and every other runtime. */
export const keccak256: Keccak256 = (data) => keccak_256(data)
