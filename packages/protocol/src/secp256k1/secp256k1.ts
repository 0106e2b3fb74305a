/**
 * The two operations of secp256k1 (SEC 2 §2.4.1) that signatures need. Both implementations sign deterministically
 * (RFC 6979), with low s, so they give the same bytes.
 */
export type Secp256k1 = {
  /** Uncompressed public key (65 bytes) behind r ‖ s, or null where there is none. May throw on out-of-range r or s. */
  recover(digest: Uint8Array, compact: Uint8Array, recoveryId: 0 | 1): Uint8Array | null
  /** r ‖ s and which of the two keys it recovers to. */
  sign(digest: Uint8Array, privateKey: Uint8Array): { signature: Uint8Array; recoveryId: number }
}
