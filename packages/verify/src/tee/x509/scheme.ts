import { type Hex, hexToBytes } from 'viem'
import { verifyEcdsa } from '#ecdsa'
import { readChildren, readDer, readInteger, TAG } from './der.ts'
import type { Curve } from './ecdsa/ecdsa.ts'

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

const OCTETS = { 'P-256': 32, 'P-384': 48 } as const

const isPoint = (curve: Curve, key: Uint8Array) => key.length === 1 + 2 * OCTETS[curve] && key[0] === 4

/** r ‖ s of a DER signature, both in minimal form and not negative; undefined where it is no such thing. */
function compactOf(signature: Uint8Array, octets: number): Uint8Array | undefined {
  const compact = new Uint8Array(2 * octets)
  try {
    const integers = readChildren(readDer(signature, TAG.sequence), 2)
    if (integers.length !== 2) return undefined
    for (const [at, element] of integers.entries()) {
      const bytes = hexToBytes(readInteger(element))
      if ((bytes[0] as number) >= 0x80) return undefined
      const magnitude = bytes[0] === 0 ? bytes.subarray(1) : bytes
      if (magnitude.length > octets) return undefined
      compact.set(magnitude, (at + 1) * octets - magnitude.length)
    }
    return compact
  } catch {
    return undefined
  }
}

function verifyOn(
  curve: Curve,
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
  format: SignatureFormat,
): boolean {
  const octets = OCTETS[curve]
  const compact = format === 'der' ? compactOf(signature, octets) : signature
  if (compact?.length !== 2 * octets || !isPoint(curve, publicKey)) return false
  return verifyEcdsa(curve, publicKey, message, compact)
}

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
  return verifyOn('P-256', publicKey, message, signature, format)
}

/** ECDSA P-384 over SHA-384; otherwise as `verifyP256`. */
export function verifyP384(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
  format: SignatureFormat,
): boolean {
  return verifyOn('P-384', publicKey, message, signature, format)
}

export const ECDSA_P256: Scheme = {
  name: 'ecdsa-with-SHA256 on P-256',
  signatureAlgorithms: ['0x300a06082a8648ce3d040302'], // RFC 5758 §3.2: no parameters
  keyAlgorithm: '0x301306072a8648ce3d020106082a8648ce3d030107', // RFC 5480 §2.1.1
  isKey: (key) => isPoint('P-256', key),
  verify: (key, message, signature) => verifyP256(key, message, signature, 'der'),
}

export const ECDSA_P384: Scheme = {
  name: 'ecdsa-with-SHA384 on P-384',
  signatureAlgorithms: ['0x300a06082a8648ce3d040303'],
  keyAlgorithm: '0x301006072a8648ce3d020106052b81040022',
  isKey: (key) => isPoint('P-384', key),
  verify: (key, message, signature) => verifyP384(key, message, signature, 'der'),
}
