import { hexToBytes, keccak256 as viem } from 'viem'
import type { Keccak256 } from './keccak256.ts'

/** Plain JavaScript, for browsers and every other runtime. */
export const keccak256: Keccak256 = (value) => viem(typeof value === 'string' ? hexToBytes(value) : value)
