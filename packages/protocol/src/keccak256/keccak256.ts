import type { Hex } from 'viem'

/** Keccak-256 (the padding of Keccak, not of FIPS 202) of bytes, or of the bytes that hex stands for: 32 bytes in hex. */
export type Keccak256 = (value: Hex | Uint8Array) => Hex
