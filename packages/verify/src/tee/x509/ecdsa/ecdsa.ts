/** Curves of attestation hardware, each with the one hash that vendors use with it. */
export type Curve = 'P-256' | 'P-384'

/**
 * ECDSA (FIPS 186-5 §6.4): whether `publicKey` signed `message` by `signature`. P-256 goes with SHA-256, P-384 with
 * SHA-384. High s is allowed. The caller has checked lengths and form: 0x04 ‖ x ‖ y, and r ‖ s. Never throws: a point off
 * the curve or a number out of range is a false. Both implementations must say the same of everything, or a page and a
 * validator would differ on a key.
 */
export type VerifyEcdsa = (
  curve: Curve,
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
) => boolean
