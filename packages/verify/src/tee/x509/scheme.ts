import { p256, p384 } from '@noble/curves/nist.js'
import { sha256, sha384 } from '@noble/hashes/sha2.js'
import type { Hex } from 'viem'

/** One way to sign a certificate or a revocation list: which key, which algorithm, how it is checked. */
export type Scheme = {
  name: string
  /** DER of the AlgorithmIdentifier beside a signature, in each form that says this scheme. */
  signatureAlgorithms: readonly Hex[]
  /** DER of the AlgorithmIdentifier in a subject's public key. */
  keyAlgorithm: Hex
  /** Whether these octets of a subjectPublicKey have the form of such a key. */
  isKey(publicKey: Uint8Array): boolean
  /** Whether `publicKey` signed `message`; `signature` as X.509 carries it. Never throws. */
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean
}

/** `der`: SEQUENCE of r and s (X.509). `compact`: r ‖ s (COSE, quotes). */
type SignatureFormat = 'der' | 'compact'

const isUncompressedPoint = (key: Uint8Array, octets: number) => key.length === octets && key[0] === 4

/**
 * ECDSA P-256 over SHA-256. High s is allowed: neither X.509 nor Intel forbids it, so nothing may rest on a signature's
 * bytes. False where key or signature is no such thing.
 */
export function verifyP256(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
  format: SignatureFormat,
): boolean {
  try {
    return p256.verify(signature, sha256(message), publicKey, { prehash: false, lowS: false, format })
  } catch {
    return false
  }
}

/** ECDSA P-384 over SHA-384; otherwise as `verifyP256`. */
export function verifyP384(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
  format: SignatureFormat,
): boolean {
  try {
    return p384.verify(signature, sha384(message), publicKey, { prehash: false, lowS: false, format })
  } catch {
    return false
  }
}

export const ECDSA_P256: Scheme = {
  name: 'ecdsa-with-SHA256 on P-256',
  signatureAlgorithms: ['0x300a06082a8648ce3d040302'], // RFC 5758 §3.2: no parameters
  keyAlgorithm: '0x301306072a8648ce3d020106082a8648ce3d030107', // RFC 5480 §2.1.1
  isKey: (key) => isUncompressedPoint(key, 65),
  verify: (key, message, signature) => verifyP256(key, message, signature, 'der'),
}

export const ECDSA_P384: Scheme = {
  name: 'ecdsa-with-SHA384 on P-384',
  signatureAlgorithms: ['0x300a06082a8648ce3d040303'],
  keyAlgorithm: '0x301006072a8648ce3d020106052b81040022',
  isKey: (key) => isUncompressedPoint(key, 97),
  verify: (key, message, signature) => verifyP384(key, message, signature, 'der'),
}
