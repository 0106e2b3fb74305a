import { type Hex, keccak256 } from 'viem'

export type TrustedRoot = {
  /** keccak256 of the root certificate's DER. */
  rootHash: Hex
  /** Hardware type that this root vouches for. */
  hardwareType: Hex
}

/**
 * The approved root that is this certificate, byte for byte. A root is trusted because its bytes were approved, and for
 * the hardware it was approved for: never because evidence says what it is.
 */
export function matchRoot(
  certificate: Uint8Array | undefined,
  roots: readonly TrustedRoot[],
): { root: TrustedRoot | undefined; rootHash: Hex } {
  const rootHash = keccak256(certificate ?? new Uint8Array(0))
  return { root: roots.find((candidate) => candidate.rootHash.toLowerCase() === rootHash), rootHash }
}
