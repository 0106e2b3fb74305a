import { p384 } from '@noble/curves/nist.js'
import { sha384 } from '@noble/hashes/sha2.js'
import type { Certificate } from './certificate.ts'

/** Longest life of a leaf certificate, seconds: AWS gives 3 h; more would widen the window of a stolen instance key. */
const MAX_LEAF_SECONDS = 4n * 3600n

/** Raw ECDSA P-384 over SHA-384. High s is allowed: X.509 and COSE do not forbid it, so nothing may rest on these bytes. */
export function verifyP384(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
  format: 'der' | 'compact',
): boolean {
  try {
    return p384.verify(signature, sha384(message), publicKey, { prehash: false, lowS: false, format })
  } catch {
    return false // not a point, or not a signature
  }
}

/**
 * First thing wrong with the links of a chain, or undefined. Index 0 is the root, which signs itself; the last is the
 * leaf. Issuer, signature, CA flag, pathLen and keyCertSign (RFC 5280 §6.1), without times.
 */
export function chainProblem(chain: readonly Certificate[]): string | undefined {
  const last = chain.length - 1
  for (const [at, certificate] of chain.entries()) {
    const issuer = at === 0 ? certificate : (chain[at - 1] as Certificate)
    if (certificate.issuer !== issuer.subject) return `certificate ${at} was not issued by the one before it`
    if (!verifyP384(issuer.publicKey, certificate.tbs, certificate.signature, 'der')) {
      return `the signature of certificate ${at} does not hold`
    }
    if (at === last) break
    if (certificate.constraints?.isCa !== true) return `certificate ${at} is not a CA`
    if (!certificate.keyCertSign) return `certificate ${at} may not sign certificates`
    // Intermediates between this one and the leaf.
    const below = last - at - 1
    if (certificate.constraints.pathLength !== undefined && below > certificate.constraints.pathLength) {
      return `certificate ${at} allows ${certificate.constraints.pathLength} intermediates, ${below} follow`
    }
  }
  const leaf = chain[last]
  if (leaf === undefined) return 'the chain is empty'
  if (leaf.constraints?.isCa === true || leaf.keyCertSign) return 'the leaf is a CA'
  if (!leaf.digitalSignature) return 'the leaf may not sign documents'
  if (leaf.notAfter - leaf.notBefore > MAX_LEAF_SECONDS) return 'the leaf lives longer than 4 h'
  return undefined
}

/** First certificate that does not hold at time `at` (Unix seconds), or undefined. */
export function validityProblem(chain: readonly Certificate[], at: bigint): string | undefined {
  for (const [index, certificate] of chain.entries()) {
    if (at < certificate.notBefore || at > certificate.notAfter) {
      return `certificate ${index} holds from ${certificate.notBefore} to ${certificate.notAfter}, the document says ${at}`
    }
  }
  return undefined
}
