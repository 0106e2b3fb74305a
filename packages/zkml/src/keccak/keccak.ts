/** Keccak-256 (the padding of Keccak, not of FIPS 202): 32 bytes, the caller's own. */
export type Keccak256 = (data: Uint8Array) => Uint8Array
